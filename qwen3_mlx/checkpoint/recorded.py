"""What was recorded of a folder's files when they were made, compared with what they are now.

Knows the digests in `conversion.json` and `pruning.json`. Does not know what the files mean: a
file that is sound in itself but another one is found here, and nowhere else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from qwen3_mlx.checkpoint.companions import SMALL_FILES
from qwen3_mlx.checkpoint.files import is_there, open_regular, read_json
from qwen3_mlx.checkpoint.header import MAX_HEADER_BYTES, PREFIX_BYTES
from qwen3_mlx.checkpoint.reader import resolve_inside
from qwen3_mlx.errors import ModelFileError

CONVERSION, PRUNING = "conversion.json", "pruning.json"

BLOCK_BYTES = 2**20

MOST_BYTES = 64 * 2**20
"""Of a file that is compared whole in a load: a tenth of a second. Larger ones are weights, of
which the header is; the numbers behind it are compared by `checkpoint/whole.py`."""


def digests(
    folder: Path, shards: Mapping[str, str], files: Mapping[str, bytes]
) -> dict[str, object]:
    """What is to be recorded of a finished folder.

    Args:
        folder: Where the shards are.
        shards: SHA-256 of each.
        files: What else is there; those that a load reads are recorded.
    """
    small = {
        name: hashlib.sha256(data).hexdigest()
        for name, data in sorted(files.items())
        if name in SMALL_FILES
    }
    headers = {name: _header_digest(folder / name) for name in shards}
    return {"sha256": {**shards, **small}, "headers": headers}


def recorded_digests(folder: Path, kind: str = "sha256") -> dict[str, str]:
    """Digests of a folder's files as they were made, by name; empty if nothing says so.

    Args:
        folder: Converted or pruned by us, or any other.
        kind: `sha256` of whole files, or of `headers` of weights.

    Raises:
        ModelFileError: What was recorded is damaged.
    """
    record = record_of(folder)
    return {} if record is None else _read(folder, record, kind)


def check_recorded(folder: Path) -> None:
    """Refuse a folder in which a file is not the one that was recorded.

    Nothing is refused where nothing is recorded.

    Raises:
        ModelFileError: A file is another one, is missing, or was added; or the record is damaged.
    """
    whole, headers = recorded_digests(folder), recorded_digests(folder, "headers")
    for name, digest in whole.items():
        if not _is_same(resolve_inside(folder, name), digest, headers.get(name)):
            raise another_file(folder, name)
    if whole.keys().isdisjoint(SMALL_FILES):  # made before small files were recorded
        return
    for name in SMALL_FILES:
        if name not in whole and is_there(folder / name):
            raise another_file(folder, name)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal.

    Raises:
        ModelFileError: It is no regular file, or unreadable.
    """
    digest = hashlib.sha256()
    for block in blocks_of(path):
        digest.update(block)
    return digest.hexdigest()


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file's bytes, a MiB at a time.

    Raises:
        ModelFileError: It is no regular file, or unreadable.
    """
    with open_regular(path) as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def _is_same(path: Path, digest: str, header: str | None) -> bool:
    if path.stat().st_size <= MOST_BYTES:
        return digest_of(path) == digest
    return header in (None, _header_digest(path))


def _header_digest(path: Path) -> str:
    """Of what says which tensor is where in a safetensors file."""
    with open_regular(path) as file:
        prefix = file.read(PREFIX_BYTES)
        length = min(int.from_bytes(prefix, "little"), MAX_HEADER_BYTES)
        return hashlib.sha256(prefix + file.read(length)).hexdigest()


def record_of(folder: Path) -> str | None:
    """The file of a folder that records digests."""
    return next((name for name in (CONVERSION, PRUNING) if is_there(folder / name)), None)


def _read(folder: Path, record: str, kind: str) -> dict[str, str]:
    stated = read_json(resolve_inside(folder, record)).get(kind, {})
    if not isinstance(stated, dict) or not all(isinstance(v, str) for v in stated.values()):
        raise ModelFileError(f"{folder / record}: {kind} is no object of digests")
    return stated


def another_file(folder: Path, name: str) -> ModelFileError:
    """What is said of a file of a folder that is not the one that was recorded."""
    record = record_of(folder)
    return ModelFileError(
        f"{folder / name} is not the file that {record} records",
        hint=f"Get the model again. If the change was meant, take sha256 out of {record}.",
    )
