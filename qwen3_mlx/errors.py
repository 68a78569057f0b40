"""One tree of errors: what went wrong, and what a person can do about it.

Knows exit codes, hints, and how much of a value is shown. Does not print, does not exit, imports
nothing of the project.
"""

from __future__ import annotations

import errno
import reprlib
import sys
from pathlib import Path

LONGEST = 3000
"""Characters of a message for people: names from a file may be of any length."""

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
TOO_LARGE = FULL | {errno.EFBIG}
"""A smaller file could be written."""


class Qwen3Error(Exception):
    """Base of everything this package raises on purpose.

    Args:
        message: What was wrong and where (file, tensor, field), in one sentence.
        hint: What to do about it, if there is something to do.
    """

    exit_code = 1
    longest = LONGEST

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        self.message = bounded(message, self.longest)
        super().__init__(self.message)
        self.hint = hint


class UsageError(Qwen3Error, ValueError):
    """A value given by the caller cannot be used (exit code 2)."""

    exit_code = 2


class ContextOverflowError(UsageError):
    """The prompt does not fit into the model's context (exit code 2).

    Attributes:
        tokens: That it has at least.
    """

    def __init__(self, message: str, *, hint: str | None = None, tokens: int = 0) -> None:
        super().__init__(message, hint=hint)
        self.tokens = tokens


class ModelNotFoundError(Qwen3Error):
    """The model is not on this machine and cannot or may not be fetched (exit code 3)."""

    exit_code = 3


class FetchError(Qwen3Error):
    """A connection broke off; the same call goes on where it broke (exit code 1)."""


class ModelTooLargeError(Qwen3Error):
    """The model does not fit into this machine's memory (exit code 4)."""

    exit_code = 4


class ModelFileError(Qwen3Error):
    """A model's files are damaged, incomplete, unsafe or contradict each other (exit code 5)."""

    exit_code = 5


class UnsupportedModelError(ModelFileError):
    """The files are sound but ask for something this package does not implement (exit code 5)."""


class NonFiniteError(ModelFileError):
    """The model produced NaN or infinite logits, or its weights hold such numbers (exit code 5)."""


class ConversionError(Qwen3Error):
    """A conversion could not be finished; the destination was not created (exit code 1)."""


class ToolError(Qwen3Error):
    """A tool could not do what it was asked; the message is for the model (exit code 1)."""

    longest = sys.maxsize


def bounded(message: str, longest: int = LONGEST) -> str:
    """A message with its beginning and its end, which say where and what."""
    if len(message) <= longest:
        return message
    return f"{message[: longest // 2]} ... {message[-longest // 3 :]}"


class _Short(reprlib.Repr):
    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python writes numbers of a few thousand digits, and no more
            return f"a number of {x.bit_length()} bits"


def shown(value: object, limit: int = 80) -> str:
    """A value from a file for an error message, cut at its end: a file may hold anything.

    Neither all of a large one is written for that, nor all levels of a deep one, of which Python
    cannot write as many as it can read.
    """
    short = _Short()  # cuts in the middle, hence beyond the limit
    short.maxstring = short.maxother = short.maxlong = 2 * limit
    text = short.repr(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


_KINDS: dict[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "True or False",
    Path: "a pathlib.Path",
}


def check_type(name: str, value: object, kind: type) -> None:
    """Refuse an argument of another type: as for a type checker an int is a float, a bool neither.

    Args:
        name: Of the argument.
        value: What was given.
        kind: One of int, float, str, bool and Path.

    Raises:
        UsageError: with the name, and what it must be.
    """
    kinds = (int, float) if kind is float else (kind,)
    if not isinstance(value, kinds) or (isinstance(value, bool) and kind is not bool):
        raise UsageError(f"{name} is {shown(value)}", hint=f"It must be {_KINDS[kind]}.")


def read_error(path: object, error: Exception) -> UsageError:
    """A file that a person named could not be opened or read.

    Args:
        path: As the person named it.
        error: What was raised: by the system, for a zero byte in the name, or for `~` without a
            home.
    """
    if isinstance(error, FileNotFoundError):
        return UsageError(f"there is no file {path}")
    if isinstance(error, IsADirectoryError):
        return UsageError(f"{path} is a folder", hint="Name a file in it.")
    why = error.strerror if isinstance(error, OSError) else None
    return UsageError(f"{path} cannot be read: {why or error}")


def write_error(path: object, error: OSError, nbytes: int) -> Qwen3Error:
    """A file could not be written; whatever was under its name before is still there.

    Args:
        path: Of the file.
        error: What the system said.
        nbytes: How many were to be written; said where a smaller file could be.
    """
    needed = f"; {nbytes:,} bytes are needed" if nbytes and error.errno in TOO_LARGE else ""
    return Qwen3Error(
        f"{path} cannot be written: {error.strerror or error}{needed}",
        hint="Free some space on that disk." if error.errno in FULL else None,
    )
