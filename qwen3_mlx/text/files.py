"""Read the small text files of a model directory, trusting nothing in them.

Knows sizes and what a file must be to be read. Does not know what the files mean.
"""

from __future__ import annotations

from pathlib import Path

from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.strict_json import parse_json

# Qwen3's tokenizer.json takes 11.4 MB, and 14.6 MB where all but ASCII is written as escapes.
MAX_BYTES = 16 * 2**20


def read_text(path: Path, *, limit: int = MAX_BYTES) -> str:
    """The file's text.

    Raises:
        ModelFileError: The file is missing, no regular file, over `limit` bytes, or not UTF-8.
    """
    return _decode(path, read_bytes(path, limit=limit))


def read_bytes(path: Path, *, limit: int = MAX_BYTES) -> bytes:
    """The file's bytes; raises `ModelFileError` as `read_text` does."""
    if not path.is_file():
        raise ModelFileError(f"{path} is missing or not a regular file")
    try:
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise ModelFileError(f"{path} is larger than {limit} bytes")
    return data


def read_object(path: Path) -> dict[str, object]:
    """The JSON object in the file.

    Raises:
        ModelFileError: Not readable, not strict JSON, or not an object at the top.
    """
    return parse_json(read_bytes(path), str(path))


def read_object_if_there(path: Path) -> dict[str, object]:
    """As `read_object`, but an absent file is an empty object."""
    return read_object(path) if path.exists() else {}


def _decode(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path} is not UTF-8 text (byte {error.start})") from error
