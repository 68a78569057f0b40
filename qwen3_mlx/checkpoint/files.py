"""Reads from files that strangers wrote: regular files of a bounded size.

Knows links and sizes. Does not know what a file means.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from qwen3_mlx.errors import ModelFileError, shown
from qwen3_mlx.strict_json import parse_json

# The index of the largest model with its experts one by one takes 4 MB. A limit much above that
# would let a file take seconds and a gigabyte to parse before it can be refused.
MAX_JSON_BYTES = 8 * 2**20

FETCH_AGAIN = "The file is damaged or incomplete: fetch the model again."


def real_path(path: Path) -> Path:
    """The path with all links resolved, whether or not there is a file.

    Raises:
        ModelFileError: The links run in a circle, or no file can have that name.
    """
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ModelFileError(f"{shown(str(path), 200)} leads to no file: {error}") from error


def is_there(path: Path) -> bool:
    """Whether there is something under this name, be it a link to nothing.

    Raises:
        ModelFileError: The folder may not be read.
    """
    try:
        return path.is_symlink() or path.exists()
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading once its links lead to a regular file.

    Raises:
        ModelFileError: It is missing, something else (a folder, a pipe, a device) or unreadable.
    """
    try:
        if not path.exists():
            raise ModelFileError(f"{path} is missing", hint=FETCH_AGAIN)
        if not path.is_file():
            raise ModelFileError(f"{path} is not a regular file")
        return path.open("rb")
    except OSError as error:
        raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error


def read_json(path: Path) -> dict[str, object]:
    """The JSON object in a file.

    Raises:
        ModelFileError: The file cannot be read, is over 8 MiB, or is not strict JSON with an
            object at the top and every key once.
    """
    with open_regular(path) as file:
        data = file.read(MAX_JSON_BYTES + 1)
    if len(data) > MAX_JSON_BYTES:
        raise ModelFileError(f"{path} is larger than {MAX_JSON_BYTES} bytes")
    return parse_json(data, str(path))
