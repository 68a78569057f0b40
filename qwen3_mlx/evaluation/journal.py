"""What of a curve is done: a line for each task, so that an interrupted run can go on.

Knows a file beside the one to come: first what is measured, then the records of one task a line.
Does not know how they come about. A line that a crash broke off in is dropped.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from io import FileIO
from pathlib import Path
from typing import Any

from qwen3_mlx.errors import UsageError, write_error
from qwen3_mlx.evaluation.curve import Record
from qwen3_mlx.evaluation.saved import FORMAT, record_of, setup_of
from qwen3_mlx.evaluation.setup import Setup
from qwen3_mlx.strict_json import holds_too_much

MAX_MARKS = 2**16
"""Commas, colons and brackets of a line: for some 2,700 budgets, of which each takes some 24."""


class Journal:
    """An open journal.

    Attributes:
        records: Of the tasks that are done, by their ids.
    """

    def __init__(self, path: Path, file: FileIO, records: dict[str, tuple[Record, ...]]) -> None:
        self.records = records
        self._path = path
        self._file = file

    def note(self, records: Sequence[Record]) -> None:
        """A task is done; when this returns, that is on the disk.

        Raises:
            Qwen3Error: it cannot be written.
        """
        _append(self._path, self._file, _line([asdict(record) for record in records]))
        self.records[records[0].id] = tuple(records)


def journal_path(path: Path) -> Path:
    """Where the journal of a curve is that is to be written to `path`."""
    return path.with_name(f"{path.name}.partial")


@contextmanager
def open_journal(path: Path, setup: Setup) -> Iterator[Journal]:
    """The journal in a file, which is made if it is not there.

    Args:
        path: Of the journal.
        setup: What is to be measured.

    Raises:
        UsageError: it is of another measurement, of which what differs is named; it is damaged; or
            another process is writing to it.
        Qwen3Error: it cannot be written.
    """
    head = _line({"format": FORMAT, "setup": asdict(setup)})
    with _opened(path, len(head)) as file:
        _lock(file, path)
        lines = _whole_lines(path, file)
        if lines:
            yield Journal(path, file, _read(path, lines, setup))
        else:
            _append(path, file, head)
            yield Journal(path, file, {})


def refuse_other(path: Path, found: Setup, setup: Setup) -> None:
    """Refuse a file that is of another measurement.

    Raises:
        UsageError: with what differs.
    """
    if differences := found.differences(setup):
        raise UsageError(
            f"{path} is of another curve: {', '.join(differences)} differ",
            hint="Choose another file with --out, or remove that one.",
        )


def _opened(path: Path, nbytes: int) -> FileIO:
    """Without a buffer: what could not be written is not tried again when the file is closed."""
    try:
        return path.open("a+b", buffering=0)
    except OSError as error:
        raise write_error(path, error, nbytes) from error


def _lock(file: FileIO, path: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UsageError(
            f"{path} is being written by another run",
            hint="Wait for it, or choose another file with --out.",
        ) from error


def _read(path: Path, lines: Sequence[bytes], setup: Setup) -> dict[str, tuple[Record, ...]]:
    try:
        head, *tasks = map(_value, lines)
        if head["format"] != FORMAT:
            raise ValueError("format")
        found = setup_of(head["setup"])
        records = [tuple(map(record_of, task)) for task in tasks]
        done = {task[0].id: task for task in records}
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as error:
        raise UsageError(
            f"{path} is no part of a curve that this version can read",
            hint="Remove it to begin anew.",
        ) from error
    refuse_other(path, found, setup)
    if any(tuple(record.budget for record in task) != setup.budgets for task in records):
        raise UsageError(f"{path} is damaged", hint="Remove it to begin anew.")
    return done


def _value(line: bytes) -> Any:
    if holds_too_much(line, MAX_MARKS):
        raise ValueError("budgets")
    return json.loads(line)


def _whole_lines(path: Path, file: FileIO) -> list[bytes]:
    """The lines of the file, from which the rest of a broken one is cut off."""
    file.seek(0)
    *lines, rest = file.read().split(b"\n")
    if rest:
        try:
            file.truncate(sum(len(line) + 1 for line in lines))
        except OSError as error:
            raise write_error(path, error, 0) from error
    return lines


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _append(path: Path, file: FileIO, line: bytes) -> None:
    rest = line
    try:
        while rest:
            rest = rest[file.write(rest) :]
        os.fsync(file.fileno())
    except OSError as error:
        raise write_error(path, error, len(line)) from error
