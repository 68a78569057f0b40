"""Files that a person puts into a message: their text, under a line that names them.

Knows paths, sizes and UTF-8. Does not know what the message is for, nor that `/think` in a file is
no switch: whoever sends the message says which part of it was typed.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.errors import UsageError
from qwen3_mlx.places import read_named

MOST = 16 * 10**6
"""Bytes of a file, characters of piped input, and of all that goes into one message: several times
what fits into the longest context."""


def dropped(path: Path) -> Path:
    """The path; where there is no such file, what a shell would read, if there is that.

    Terminals write a file that is dropped on them in quotes, or with backslashes.
    """
    read = _read_by_a_shell(path)
    return read if _is_there(read) and not _is_there(path) else path


def dropped_place(path: Path) -> Path:
    """As `dropped`, of a file that is to be written, which need not be there."""
    return path if _is_there(path) else _read_by_a_shell(path)


def _read_by_a_shell(path: Path) -> Path:
    """The one word that a shell would read; the path itself where that would be none, or more."""
    try:
        words = shlex.split(str(path))
        return Path(words[0]).expanduser() if len(words) == 1 and words[0] else path
    except (RuntimeError, ValueError):  # no such home; a quote that is not closed
        return path


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no file can be named so
        return False


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
    data = read_named(path, MOST + 1)
    if len(data) > MOST:
        raise _too_much(f"{path} is")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), error) from error
    if "\0" in text:
        raise UsageError(f"{path} is not text: it holds zero bytes")
    return text.replace("\r\n", "\n").strip("\n")


def joined(parts: Iterable[str]) -> str:
    """The parts of a message that are not empty, with an empty line between them.

    Raises:
        UsageError: together they are too large; what comes after them was not asked for.
    """
    found: list[str] = []
    left = MOST
    for part in filter(None, parts):
        left -= len(part)
        if left < 0:
            raise _too_much("the files and the question are together")
        found.append(part)
    return "\n\n".join(found)


def read_piped(stdin: TextIO) -> str:
    """All that is piped in.

    Raises:
        UsageError: it is no text, or too large, also where it never ends.
    """
    return _piped(stdin.read)


def read_piped_line(stdin: TextIO) -> str:
    """A line with its end, or nothing; errors as of `read_piped`."""
    return _piped(stdin.readline)


def _piped(read: Callable[[int], str]) -> str:
    try:
        text = read(MOST + 1)
    except UnicodeDecodeError as error:
        raise not_utf8("the piped input", error) from error
    check_piped(len(text))
    return text


def check_piped(characters: int) -> None:
    """Refuse piped input for one message that is too large."""
    if characters > MOST:
        raise _too_much("the piped input is")


def _too_much(what: str) -> UsageError:
    return UsageError(f"{what} larger than {MOST // 10**6} MB: no model can read that much")


def not_utf8(what: str, error: UnicodeDecodeError) -> UsageError:
    """What to say about bytes that are no text."""
    return UsageError(
        f"{what} is not UTF-8 text: byte 0x{error.object[error.start]:02x}",
        hint="Convert it first, for example with iconv -t UTF-8.",
    )
