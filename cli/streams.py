"""The standard streams of this process, made fit for use before anything else is opened.

Knows what happens where one is closed or cannot be written: standard output holds what was asked
for, hence an error; standard error is beside it, and is lost. Knows nothing of what is written.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any


class OutputError(OSError):
    """What was asked for cannot be written to standard output."""


def prepare_streams() -> None:
    """Occupy descriptors that are closed, and watch what is written.

    A file that is opened while one of them is free gets its number, and is taken for the stream.
    """
    # What is opened to be read refuses to be written: output that is closed is not lost silently.
    for number, mode in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        _occupy(number, mode)
    if sys.stdout is None:
        sys.stdout = _Output(io.FileIO(1, "w", closefd=False), "utf-8", write_through=True)
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout = _Output(sys.stdout.buffer, **_settings(sys.stdout))
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr = _Asides(sys.stderr.buffer, **_settings(sys.stderr))


def _occupy(number: int, mode: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.open(os.devnull, mode)  # gets the lowest number that is free
        os.set_inheritable(number, True)


def _settings(stream: io.TextIOWrapper) -> dict[str, Any]:
    names = ("encoding", "errors", "line_buffering", "write_through")
    return {name: getattr(stream, name) for name in names}


class _Output(io.TextIOWrapper):
    """Standard output. What cannot be written is an `OutputError`."""

    def write(self, text: str, /) -> int:
        if text == "":  # Typer tries whether this can be done, and takes an error for a no
            return 0
        with _given_up(1):
            return super().write(text)

    def flush(self) -> None:
        with _given_up(1):
            super().flush()


class _Asides(io.TextIOWrapper):
    """Standard error. What cannot be written is lost."""

    def write(self, text: str, /) -> int:
        with suppress(OutputError), _given_up(2):
            super().write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OutputError), _given_up(2):
            super().flush()


@contextmanager
def _given_up(number: int) -> Iterator[None]:
    """Lets what is left in the buffers go nowhere after an error, so that Python can end.

    Raises:
        OutputError: it cannot be written.
        BrokenPipeError: whoever read it has gone.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)
        raise OutputError(f"the output cannot be written: {error.strerror or error}") from error
