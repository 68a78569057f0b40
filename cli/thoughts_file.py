"""The thoughts of a turn in a file, as they come: `--thinking-to`.

Knows the file. It is opened, and emptied, before the model runs, and written to under its own name
so that somebody can watch it grow. Does not know how thoughts are shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from qwen3_mlx.errors import UsageError, write_error
from qwen3_mlx.events import Event, ThinkingDelta, ThinkingStopped

STANDARD_OUTPUT = Path("-")


@contextmanager
def kept_thoughts(path: Path | None, read: Iterable[Path]) -> Iterator[Callable[[Event], Event]]:
    """Opens the file; gives what every event is to be passed through.

    Args:
        path: Of the file, which is replaced; None to keep nothing.
        read: Files that are part of the question, which the file must not be.

    Raises:
        UsageError: the file is one of those, or standard output.
        Qwen3Error: the file, or (while events pass) the thoughts, cannot be written.
    """
    if path is None:
        yield _passed_on
        return
    _check(path, read)
    file = _opened(path)
    try:
        yield ThoughtsFile(path, file).keep
    finally:
        with suppress(OSError):  # what could not be written has been said
            file.close()


class ThoughtsFile:
    """Writes the thoughts among the events that pass.

    Args:
        path: What the file is called.
        file: The file.
    """

    def __init__(self, path: Path, file: TextIO) -> None:
        self._path = path
        self._file = file
        self._last = "\n"

    def keep(self, event: Event) -> Event:
        """The event, once what is thought in it is in the file.

        Raises:
            Qwen3Error: it cannot be written there.
            BrokenPipeError: the file is a pipe, and whoever read it has gone.
        """
        if isinstance(event, ThinkingDelta):
            self._write(event.text)
        elif isinstance(event, ThinkingStopped) and self._last != "\n":
            self._write("\n")
        return event

    def _write(self, text: str) -> None:
        try:
            self._file.write(text)
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise write_error(self._path, error, len(text.encode())) from error
        self._last = text[-1:] or self._last


def _passed_on(event: Event) -> Event:
    return event


def _check(path: Path, read: Iterable[Path]) -> None:
    if path == STANDARD_OUTPUT:
        raise UsageError(
            "--thinking-to takes a file: standard output is for the answer alone",
            hint="Without it, the thoughts go to standard error. A file of that name is ./-",
        )
    if path.exists() and any(path.samefile(one.expanduser()) for one in read):
        raise UsageError(
            f"{path} is part of the question: writing the thoughts to it would lose it",
            hint="Choose another file for --thinking-to.",
        )


def _opened(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise write_error(path, error, 0) from error
