"""How far something long has come: bars on a screen, a line for every tenth elsewhere.

Knows bytes done and bytes to do. Does not know what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias

from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Update: TypeAlias = Callable[[str, int, int], None]
"""Takes what is under way, bytes done and bytes in all."""


@contextmanager
def showing_progress(terminal: Terminal) -> Iterator[Update]:
    """Shows progress while the context lasts, and leaves no bar behind."""
    if not terminal.live:
        yield Tenths(terminal).update
        return
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
        console=terminal.console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bars:
        yield Bars(bars).update


class Bars:
    """A bar for each thing under way; one that is done goes when another begins."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def update(self, what: str, done: int, total: int) -> None:
        """Takes what is under way, bytes done and bytes in all."""
        if what not in self._tasks:
            self._remove_finished()
            self._tasks[what] = self._bars.add_task(clean_line(what))
        self._bars.update(self._tasks[what], completed=done, total=total)

    def _remove_finished(self) -> None:
        for what, task in list(self._tasks.items()):
            if next(t.finished for t in self._bars.tasks if t.id == task):
                self._bars.remove_task(self._tasks.pop(what))


class Tenths:
    """Writes `[converting 30 %]` once for each tenth that is reached."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._reached: dict[str, int] = {}

    def update(self, what: str, done: int, total: int) -> None:
        """Takes what is under way, bytes done and bytes in all."""
        tenth = done * 10 // total if total else 0
        if tenth > self._reached.get(what, 0):
            self._reached[what] = tenth
            self._terminal.aside(f"{clean_line(what)} {tenth * 10} %")
