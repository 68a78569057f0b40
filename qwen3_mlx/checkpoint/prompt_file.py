"""One block of a saved prompt: some ids, and what the caches of a model hold of them.

Knows the format, and takes a file only if it is byte for byte what would be written for its ids.
Does not know folders, nor which prompts there are.

The format is safetensors: tensors `LAYER.PART` of shape [1, heads, tokens, width], and in
`__metadata__` what `_metadata` puts there. Ids have no meaning without those before them: all of
them together are a place, the digest of a chain (:func:`place_after`) that begins with the
identity of the model.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import BinaryIO, NoReturn, TypeAlias

import mlx.core as mx

from qwen3_mlx.checkpoint.files import open_regular
from qwen3_mlx.checkpoint.header import ITEM_BYTES, MAX_HEADER_BYTES, PREFIX_BYTES
from qwen3_mlx.checkpoint.reader import DTYPES
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.strict_json import parse_json

FORMAT = "qwen3-mlx prompt"
VERSION = "1"
SUFFIX = ".safetensors"
DIGEST_LETTERS = 32
"""Of SHA-256 in hexadecimal, where it is a name."""

States: TypeAlias = Sequence[Mapping[str, mx.array]]
"""What each layer's cache holds, by name; the third axis of each array counts tokens."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one layer holds of each token under one name: `heads` times `width` numbers.

    Attributes:
        dtype: Their type, as safetensors calls it.
    """

    dtype: str
    heads: int
    width: int

    @property
    def nbytes(self) -> int:
        """Bytes for each token."""
        return self.heads * self.width * ITEM_BYTES[self.dtype]


@dataclass(frozen=True, slots=True)
class Layout:
    """What all files of one model hold.

    Attributes:
        identity: A digest of all that the numbers depend on besides the ids.
        layers: How many there are.
        parts: What each layer holds, by name.
    """

    identity: str
    layers: int
    parts: Mapping[str, Part]

    @property
    def tensors(self) -> Iterator[tuple[str, Part]]:
        """All that a file holds, in its order."""
        for layer in range(self.layers):
            for name, part in self.parts.items():
                yield f"{layer}.{name}", part

    def nbytes(self, tokens: int) -> int:
        """Bytes of the numbers of so many tokens."""
        return tokens * sum(part.nbytes for _, part in self.tensors)


@dataclass(frozen=True, slots=True)
class Block:
    """Ids and what the caches hold of them."""

    ids: list[int]
    states: States

    def cut(self, start: int, stop: int) -> Block:
        """The tokens from `start` up to `stop`."""
        states = [
            {name: array[..., start:stop, :] for name, array in state.items()}
            for state in self.states
        ]
        return Block(self.ids[start:stop], states)


def place_after(place: str, ids: Iterable[int]) -> str:
    """What stands for some ids after those that `place` stands for."""
    return sha256(f"{place} {_text(ids)}".encode()).hexdigest()[:DIGEST_LETTERS]


def file_name(place: str, ids: Iterable[int]) -> str:
    """What the file of the ids after a place is called."""
    return f"{place}-{place_after(place, ids)}{SUFFIX}"


def file_parts(
    layout: Layout, place: str, ids: Sequence[int], rows: Sequence[memoryview]
) -> Iterator[bytes | memoryview]:
    """A file, piece by piece.

    Args:
        layout: What it holds.
        place: What the ids before it come to.
        ids: At least one.
        rows: The bytes of its tensors, in order.
    """
    header = _header(layout, place, ids, _digest(place, ids, rows))
    yield len(header).to_bytes(PREFIX_BYTES, "little")
    yield header
    yield from rows


def read_ids(path: Path, layout: Layout, place: str) -> list[int]:
    """The ids in a file, once its header and its size are found to be right.

    Raises:
        ModelFileError: It is not a file of this model for this place, or it is damaged.
    """
    with open_regular(path) as file:
        return _read_head(file, path, layout, place)[0]


def read_block(path: Path, layout: Layout, place: str) -> Block:
    """All of a file, once everything in it is found to be right.

    Raises:
        ModelFileError: It is not a file of this model for this place, or it is damaged.
    """
    with open_regular(path) as file:
        ids, digest = _read_head(file, path, layout, place)
        data = file.read(layout.nbytes(len(ids)))
    if _digest(place, ids, [data]) != digest:
        _refuse(path, "does not match its checksum")
    return Block(ids, _states(memoryview(data), layout, len(ids)))


def _header(layout: Layout, place: str, ids: Sequence[int], digest: str) -> bytes:
    entries: dict[str, object] = {"__metadata__": _metadata(layout, place, ids, digest)}
    end = 0
    for name, part in layout.tensors:
        start, end = end, end + part.nbytes * len(ids)
        shape = [1, part.heads, len(ids), part.width]
        entries[name] = {"dtype": part.dtype, "shape": shape, "data_offsets": [start, end]}
    return json.dumps(entries, separators=(",", ":")).encode()


def _metadata(layout: Layout, place: str, ids: Iterable[int], digest: str) -> dict[str, str]:
    return {
        "format": FORMAT,
        "version": VERSION,
        "identity": layout.identity,
        "place": place,
        "ids": _text(ids),
        "sha256": digest,
    }


def _text(ids: Iterable[int]) -> str:
    return " ".join(map(str, ids))


def _digest(place: str, ids: Sequence[int], data: Iterable[bytes | memoryview]) -> str:
    """Of the numbers, and of the ids that they belong to."""
    digest = sha256(place_after(place, ids).encode())
    for part in data:
        digest.update(part)
    return digest.hexdigest()


def _read_head(file: BinaryIO, path: Path, layout: Layout, place: str) -> tuple[list[int], str]:
    """The ids, and the checksum that the file claims."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(PREFIX_BYTES), "little")
    if not 0 < length <= min(MAX_HEADER_BYTES, size - PREFIX_BYTES):
        _refuse(path, "is cut off, or claims a header that no such file has")
    header = file.read(length)
    found = _read_metadata(header, path)
    for name, value in _metadata(layout, place, [], "").items():
        if name not in {"ids", "sha256"} and found.get(name) != value:
            _refuse(path, f"is of another {name}")
    ids, digest = _read_numbers(found.get("ids"), path), str(found.get("sha256"))
    if path.name != file_name(place, ids):
        _refuse(path, "holds other ids than its name says")
    if header != _header(layout, place, ids, digest):
        _refuse(path, "describes other arrays than those of this model")
    if size != PREFIX_BYTES + length + layout.nbytes(len(ids)):
        _refuse(path, "is longer or shorter than its header says")
    return ids, digest


def _read_metadata(header: bytes, path: Path) -> dict[str, object]:
    found = parse_json(header, f"{path}: its header").get("__metadata__")
    if not isinstance(found, dict):
        _refuse(path, "says nothing about itself")
    return found


def _read_numbers(text: object, path: Path) -> list[int]:
    try:
        return [int(word) for word in str(text).split(" ")]
    except ValueError as error:
        raise ModelFileError(f"{path} has ids that are no numbers") from error


def _states(data: memoryview, layout: Layout, tokens: int) -> States:
    states: list[dict[str, mx.array]] = []
    start = 0
    for _ in range(layout.layers):
        state = {}
        for name, part in layout.parts.items():
            stop = start + part.nbytes * tokens
            # MLX takes any buffer; its type stubs leave that out.
            numbers = mx.array(data[start:stop])  # type: ignore[arg-type]
            shape = 1, part.heads, tokens, part.width
            state[name] = numbers.view(DTYPES[part.dtype]).reshape(shape)
            start = stop
        states.append(state)
    return states


def _refuse(path: Path, fault: str) -> NoReturn:
    raise ModelFileError(f"{path} {fault}")
