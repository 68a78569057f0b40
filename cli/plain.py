"""Thoughts without a screen: finished lines with the count so far, nothing rewritten."""

from __future__ import annotations

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.events import ThinkingDelta


class PlainThoughts:
    """Writes `[thinking 118/512] ...` to standard error, one line for each line of thought.

    Args:
        terminal: Where to.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._line = ""
        self._progress = ""

    def begin(self) -> None:
        """Nothing to announce."""

    def reading(self, done: int, total: int) -> None:
        """Nothing to announce: a line that is not rewritten would stay."""

    def turned(self, budget: int | None, note: str) -> None:
        """Says what the dial stands at, unless something is still being typed."""
        if not note:
            self._terminal.aside(wording.budget(budget))

    def hint(self, text: str) -> None:
        """Nothing to say: a line that is not rewritten would stay."""

    def add(self, event: ThinkingDelta) -> None:
        """Writes the lines that this token finishes."""
        self._progress = wording.progress(event.used, event.budget)
        *finished, self._line = (self._line + event.text).split("\n")
        for line in finished:
            self._write(line)

    def end(self) -> None:
        """Writes what is left."""
        self._write(self._line)
        self._line = ""

    def _write(self, line: str) -> None:
        if line.strip():
            self._terminal.say(f"[thinking {self._progress}] {line.strip()}")


class NoThoughts(PlainThoughts):
    """Writes none of the thoughts."""

    def _write(self, line: str) -> None:
        """Thoughts are not shown."""
