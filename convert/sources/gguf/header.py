"""The header of a GGUF file: its metadata, which tensors it holds, and where.

Knows the format, and checks every length against the file before it believes it: the reader of
the `gguf` package takes counts as they come, and a damaged one keeps it busy for ever. Does not
read numbers.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from qwen3_mlx.checkpoint.files import FETCH_AGAIN, open_regular
from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.convert.sources.gguf.blocks import KINDS
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError, shown

MAGIC = b"GGUF"
VERSIONS = (2, 3)
# Qwen3's takes 6 MB, nearly all of it the tokenizer.
MAX_HEADER_BYTES = 32 * 2**20
MAX_RANK = 4
MAX_DIMENSION = 2**31 - 1
ALIGNMENT = 32

SCALARS = {
    0: "B",
    1: "b",
    2: "H",
    3: "h",
    4: "I",
    5: "i",
    6: "f",
    7: "?",
    10: "Q",
    11: "q",
    12: "d",
}
STRING, ARRAY = 8, 9


@dataclass(frozen=True)
class GgufHeader:
    """What a file says of itself.

    Attributes:
        metadata: Numbers, strings, and lists of either.
        tensors: By name. Their dtype is the name of their kind, such as ``Q4_K``.
    """

    metadata: dict[str, object]
    tensors: dict[str, TensorInfo]


def read_gguf_header(path: Path) -> GgufHeader:
    """The header of a GGUF file, once it agrees with itself and the file's size.

    Raises:
        UnsupportedModelError: Another version, or a kind of tensor that is not supported.
        ModelFileError: No GGUF file, cut off, or its header is damaged or too large.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        cursor = _Cursor(path, file.read(MAX_HEADER_BYTES))
    tensor_count, metadata_count = _read_start(cursor)
    metadata = _read_metadata(cursor, metadata_count)
    infos = [_read_info(cursor) for _ in range(tensor_count)]
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or not 1 <= alignment <= 2**20:
        cursor.refuse(f"has the impossible alignment {shown(alignment)}")
    base = -(-cursor.at // alignment) * alignment
    return GgufHeader(metadata, _place(cursor, infos, base, size))


class _Cursor:
    """A place in the header, from which values are read one after another."""

    def __init__(self, path: Path, data: bytes) -> None:
        self.path, self.at, self._data = path, 0, data

    def refuse(self, fault: str) -> NoReturn:
        raise ModelFileError(f"{self.path} {fault}", hint=FETCH_AGAIN)

    def take(self, count: int) -> bytes:
        start, self.at = self.at, self.at + count
        if self.at > len(self._data):
            self.refuse("is cut off: the file ends within its header, or that is far too long")
        return self._data[start : self.at]

    def scalars(self, code: str, count: int) -> list[object]:
        size = struct.calcsize(f"<{code}")
        data = self.take(size * count)
        return list(struct.unpack(f"<{count}{code}", data))

    def integer(self, code: str) -> int:
        value = self.scalars(code, 1)[0]
        return value if isinstance(value, int) else 0

    def string(self) -> str:
        data = self.take(self.integer("Q"))
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            self.refuse(f"holds a string that is no UTF-8: {shown(data)}")

    def value(self, kind: int) -> object:
        if kind in SCALARS:
            return self.scalars(SCALARS[kind], 1)[0]
        if kind == STRING:
            return self.string()
        if kind != ARRAY:
            self.refuse(f"holds a value of the unknown type {kind}")
        return self._array(self.integer("I"), self.integer("Q"))

    def _array(self, kind: int, count: int) -> list[object]:
        if kind in SCALARS:
            return self.scalars(SCALARS[kind], count)
        if kind != STRING:
            self.refuse(f"holds an array of the type {kind}, which is not supported")
        # Each takes bytes, so that a false count runs into the end of the header.
        return [self.string() for _ in range(count)]


def _read_start(cursor: _Cursor) -> tuple[int, int]:
    """The number of tensors and of metadata entries."""
    if cursor.take(len(MAGIC)) != MAGIC:
        cursor.refuse("is no GGUF file")
    version = cursor.integer("I")
    if version not in VERSIONS:
        raise UnsupportedModelError(
            f"{cursor.path} is GGUF of version {version}, or of another byte order",
            hint=f"Supported versions: {', '.join(map(str, VERSIONS))}.",
        )
    return cursor.integer("Q"), cursor.integer("Q")


def _read_metadata(cursor: _Cursor, count: int) -> dict[str, object]:
    metadata: dict[str, object] = {}
    for _ in range(count):
        key = cursor.string()
        if key in metadata:
            cursor.refuse(f"has the key {shown(key)} twice")
        metadata[key] = cursor.value(cursor.integer("I"))
    return metadata


def _read_info(cursor: _Cursor) -> TensorInfo:
    """A tensor whose place is counted from the first one's."""
    name, rank = cursor.string(), cursor.integer("I")
    if not 1 <= rank <= MAX_RANK:
        cursor.refuse(f"gives the tensor {shown(name)} {rank} dimensions")
    shape = tuple(cursor.integer("Q") for _ in range(rank))[::-1]
    if any(not 1 <= size <= MAX_DIMENSION for size in shape):
        cursor.refuse(f"gives the tensor {shown(name)} the impossible shape {list(shape)}")
    kind, start = _read_kind(cursor, name), cursor.integer("Q")
    numbers = KINDS[kind].numbers
    if shape[-1] % numbers:
        cursor.refuse(f"gives the tensor {shown(name)} rows of {shape[-1]}, in blocks of {numbers}")
    end = start + math.prod(shape) // numbers * KINDS[kind].nbytes
    return TensorInfo(name, kind, shape, start, end, cursor.path)


def _read_kind(cursor: _Cursor, name: str) -> str:
    code = cursor.integer("I")
    for kind, block in KINDS.items():
        if block.code == code:
            return kind
    raise UnsupportedModelError(
        f"{cursor.path}: the tensor {shown(name)} is of GGML's type {code}, which is not supported",
        hint=f"Supported: {', '.join(KINDS)}.",
    )


def _place(cursor: _Cursor, infos: list[TensorInfo], base: int, size: int) -> dict[str, TensorInfo]:
    """The tensors by name with their places in the file, none of which may overlap."""
    placed: dict[str, TensorInfo] = {}
    end = base
    for info in sorted(infos, key=lambda info: info.start):
        start, stop = base + info.start, base + info.end
        if info.name in placed:
            cursor.refuse(f"has the tensor {shown(info.name)} twice")
        if start < end:
            cursor.refuse(f"is inconsistent: the tensor {shown(info.name)} overlaps another")
        if stop > size:
            cursor.refuse(
                f"is cut off: the tensor {shown(info.name)} ends at byte {stop} of {size}"
            )
        placed[info.name] = TensorInfo(info.name, info.dtype, info.shape, start, stop, info.file)
        end = stop
    return placed
