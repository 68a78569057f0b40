"""How far something long has come: bars on a screen, a line for every tenth elsewhere.

Knows bytes or steps done and to do, and so the time left. Does not know what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn, TaskID

Update: TypeAlias = Callable[[str, int, int], None]
"""Takes what is under way, bytes or steps done and in all."""


@contextmanager
def showing_progress(terminal: Terminal) -> Iterator[Update]:
    """Shows progress in bytes while the context lasts, and leaves no bar behind."""
    if not terminal.live:
        yield Tenths(terminal).update
        return
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with _bars(terminal, DownloadColumn(), TransferSpeedColumn()) as bars:
        yield bars.update


@contextmanager
def showing_steps(
    terminal: Terminal, clock: Callable[[], float] = perf_counter
) -> Iterator[Update]:
    """As `showing_progress`, in steps that take about the same time each; also says what is left.

    Args:
        terminal: To show it on.
        clock: Seconds, from any start.
    """
    if not terminal.live:
        yield Tenths(terminal, TimeLeft(clock)).update
        return
    from rich.progress import MofNCompleteColumn

    with _bars(terminal, MofNCompleteColumn()) as bars:
        yield bars.update


@contextmanager
def _bars(terminal: Terminal, *amounts: ProgressColumn) -> Iterator[Bars]:
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        *amounts,
        TimeRemainingColumn(),
        console=terminal.console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bars:
        yield Bars(bars)


class Bars:
    """A bar for each thing under way; one that is done goes when another begins."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def update(self, what: str, done: int, total: int) -> None:
        """Takes what is under way, how much is done and how much there is in all."""
        if what not in self._tasks:
            self._remove_finished()
            self._tasks[what] = self._bars.add_task(clean_line(what))
        self._bars.update(self._tasks[what], completed=done, total=total)

    def _remove_finished(self) -> None:
        for what, task in list(self._tasks.items()):
            if next(t.finished for t in self._bars.tasks if t.id == task):
                self._bars.remove_task(self._tasks.pop(what))


class Tenths:
    """Writes `[converting 30 %]` once for each tenth that is reached.

    Args:
        terminal: To write it to.
        more: What is added, by how much is done and how much there is in all.
    """

    def __init__(self, terminal: Terminal, more: Callable[[int, int], str] | None = None) -> None:
        self._terminal = terminal
        self._more = more
        self._reached: dict[str, int] = {}

    def update(self, what: str, done: int, total: int) -> None:
        """Takes what is under way, how much is done and how much there is in all."""
        tenth = done * 10 // total if total else 0
        if tenth > self._reached.get(what, 0):
            self._reached[what] = tenth
            more = self._more(done, total) if self._more else ""
            self._terminal.aside(f"{clean_line(what)} {tenth * 10} %{more}")


class TimeLeft:
    """How long the rest takes if it goes on as it went so far; starts when it is made."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._begun = clock()

    def __call__(self, done: int, total: int) -> str:
        """In words, nothing at the end."""
        if not 0 < done < total:
            return ""
        return f", {_duration((self._clock() - self._begun) / done * (total - done))} left"


def _duration(seconds: float) -> str:
    """In the unit that people would use."""
    if seconds < 100:
        return f"{ceil(seconds)} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.0f} h"
