"""Files that a person puts into a message: their text, under a line that names them.

Knows paths, sizes and UTF-8. Does not know what the message is for, nor that `/think` in a file is
no switch: whoever sends the message says which part of it was typed.
"""

from __future__ import annotations

from pathlib import Path

from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.errors import UsageError
from qwen3_mlx.places import read_named

MAX_MEGABYTES = 16
"""Several times what fits into the longest context."""


def attached(path: Path) -> str:
    """A file as a part of a message: a line with its name, then its text.

    Raises:
        UsageError: it is missing, no text, too large, or cannot be read.
    """
    return f"{clean_line(str(path))}:\n\n{read_text(path)}"


def read_text(path: Path) -> str:
    """The text of a file, with line ends as Unix has them and none around it.

    Raises:
        UsageError: it is missing, no text, too large, or cannot be read.
    """
    data = read_named(path, MAX_MEGABYTES * 10**6 + 1)
    if len(data) > MAX_MEGABYTES * 10**6:
        raise UsageError(f"{path} is larger than {MAX_MEGABYTES} MB: no model can read that much")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), error) from error
    if "\0" in text:
        raise UsageError(f"{path} is not text: it holds zero bytes")
    return text.replace("\r\n", "\n").strip("\n")


def not_utf8(what: str, error: UnicodeDecodeError) -> UsageError:
    """What to say about bytes that are no text."""
    return UsageError(
        f"{what} is not UTF-8 text: byte 0x{error.object[error.start]:02x}",
        hint="Convert it first, for example with iconv -t UTF-8.",
    )
