"""Tasks in a file: all of them, or the lines that are none.

Knows what to do about bad lines. Does not know formats: see `readers`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation.lines import BadLine, LineError, parse_line, read_lines
from qwen3_mlx.evaluation.readers import Form, read
from qwen3_mlx.evaluation.task import Task

BUNDLED = ("demo", "calibration")
"""Tasks that ship with the package: those to show, and others to calibrate on."""

SHOWN_LINES = 10
"""So many bad lines are told one by one."""

MOST_BAD = 10_000
"""A file with more bad lines is something else, and may have no end."""


@dataclass(frozen=True, slots=True)
class TaskFile:
    """What a file holds.

    Attributes:
        tasks: In the order of the lines.
        bad: Lines that are no tasks.
        left_out: How many lines the file itself says are flawed.
    """

    tasks: tuple[Task, ...]
    bad: tuple[BadLine, ...]
    left_out: int


def task_path(name: str) -> Path:
    """The file that a person means: a bundled one by its name, else a path."""
    return Path(__file__).parent / f"{name}.jsonl" if name in BUNDLED else Path(name)


def read_tasks(path: Path, form: Form | None = None) -> tuple[Task, ...]:
    """The tasks in a file of one JSON object a line.

    Args:
        path: Of the file.
        form: Its format; None: recognised by the fields of each line.

    Raises:
        UsageError: it cannot be read, holds no task, or a line is none, with the lines' numbers.
    """
    file = parse_tasks(path, form)
    refuse_bad(path, file)
    return file.tasks


def parse_tasks(path: Path, form: Form | None = None) -> TaskFile:
    """As `read_tasks`, but bad lines are kept apart, not refused.

    Raises:
        UsageError: it cannot be read, or has more bad lines than `MOST_BAD`.
    """
    tasks: dict[str, Task] = {}
    bad: list[BadLine] = []
    left_out = 0
    for number, line in read_lines(path):
        try:
            task = _new(read(parse_line(line), form, number), tasks)
        except LineError as error:
            bad.append(BadLine(number, str(error)))
            _check_bad(path, bad)
            continue
        if task is None:
            left_out += 1
        else:
            tasks[task.id] = task
    return TaskFile(tuple(tasks.values()), tuple(bad), left_out)


def refuse_bad(path: Path, file: TaskFile) -> None:
    """Refuse a file with bad lines, or without tasks.

    Raises:
        UsageError: with the numbers of the lines.
    """
    if not file.bad:
        refuse_empty(path, file)
        return
    count = len(file.bad)
    more = f"; and {count - SHOWN_LINES} more" if count > SHOWN_LINES else ""
    raise UsageError(
        f"{path}: {count} {'line is' if count == 1 else 'lines are'} no task: "
        + "; ".join(map(str, file.bad[:SHOWN_LINES]))
        + more,
        hint="Correct them, or run the others alone with --skip-bad.",
    )


def _check_bad(path: Path, bad: Sequence[BadLine]) -> None:
    if len(bad) > MOST_BAD:
        raise UsageError(
            f"{path} holds no tasks: more than {MOST_BAD:,} of its lines are none, the first in "
            f"{bad[0]}"
        )


def refuse_empty(path: Path, file: TaskFile) -> None:
    """Refuse a file without tasks.

    Raises:
        UsageError: it has none.
    """
    if not file.tasks:
        raise UsageError(
            f"{path} holds no task that can be asked",
            hint='Write one a line, as JSON: {"prompt": "2 + 3 = ?", "answer": "5"}.',
        )


def _new(task: Task | None, tasks: dict[str, Task]) -> Task | None:
    if task is not None and task.id in tasks:
        raise LineError(f"its id {task.id!r:.80} is that of an earlier line")
    return task
