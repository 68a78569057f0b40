"""How far something long has come: a bar on a screen, a line for every tenth elsewhere.

Knows bytes done and bytes to do. Does not know what they are for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.terminal import Terminal

Update: TypeAlias = Callable[[int, int], None]
"""Takes bytes done and bytes in all."""


@contextmanager
def progress_of(what: str, terminal: Terminal) -> Iterator[Update]:
    """Shows progress while the context lasts, and leaves no bar behind."""
    if not terminal.live:
        yield Tenths(what, terminal).update
        return
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(30), DownloadColumn())
    bar = Progress(
        *columns,
        TimeRemainingColumn(),
        console=terminal.console,
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task(clean_line(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class Tenths:
    """Writes `[what 30 %]` once for each tenth that is reached.

    Args:
        what: What is under way.
        terminal: Where to.
    """

    def __init__(self, what: str, terminal: Terminal) -> None:
        self._what = what
        self._terminal = terminal
        self._reached = 0

    def update(self, done: int, total: int) -> None:
        """Takes bytes done and bytes in all."""
        tenth = done * 10 // total if total else 0
        if tenth > self._reached:
            self._reached = tenth
            self._terminal.aside(f"{self._what} {tenth * 10} %")
