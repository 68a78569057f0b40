"""Thoughts on a screen: their last lines, in place, and under them a bar that fills.

Knows Rich's live display. Takes little space (`ROWS` lines of thought at most), works down to
narrow terminals, and leaves nothing behind: what stays on the screen is the caller's to print.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.filter import DisplayFilter
from qwen3_mlx.cli.region import Region
from qwen3_mlx.cli.status import fit, status_line
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.events import ThinkingDelta

ROWS = 8
"""Lines of thought on the screen."""

_TAIL = 4000  # characters kept: more than ROWS lines of any screen
_SETTLED = 0.25  # seconds before a speed means anything


class LiveThoughts:
    """A live region on the terminal while the model reads and thinks.

    Args:
        terminal: Where to; must be live.
        keys: What to say about the keys that work.
        clock: Seconds that only grow.
    """

    def __init__(
        self, terminal: Terminal, keys: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._keys = keys
        self._clock = clock
        self._filter = DisplayFilter()
        self._text = ""
        self._note = ""
        self._hint = ""
        self._reading = "reading"
        self._latest: ThinkingDelta | None = None
        self._first = 0.0
        self._live = Region(self, terminal.console)

    def begin(self) -> None:
        """Opens the region."""
        self._live.start()

    def reading(self, done: int, total: int) -> None:
        """Shows how much of the prompt is read."""
        self._reading = f"reading {wording.progress(done, total)}"

    def hint(self, text: str) -> None:
        """Says this before the keys."""
        self._hint = text

    def add(self, event: ThinkingDelta) -> None:
        """Takes a token; the region redraws itself in its own time."""
        first = self._latest is None
        if first:
            self._first = self._clock()
        self._take(self._filter.feed(event.text))
        self._latest = event
        if first:
            self._live.refresh()  # a fast model is done before the region's own time comes

    def turned(self, budget: int | None, note: str) -> None:
        """Shows at once what the dial stands at."""
        self._note = note
        if self._latest is not None:
            self._latest = replace(self._latest, budget=budget)
        self._live.refresh()

    def end(self) -> None:
        """Closes the region and clears it away."""
        self._live.stop()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The region as it is now."""
        yield from self._thoughts(console, options)
        yield self._status(options.max_width)

    def _take(self, text: str) -> None:
        self._text = (self._text + text)[-_TAIL:]

    def _status(self, width: int) -> Text:
        event = self._latest
        if event is None:
            return fit(Text(wording.joined(self._reading, self._hint), style="dim"), width)
        return status_line(event.used, event.budget, self._details(event.used), width)

    def _details(self, used: int) -> tuple[str, ...]:
        if self._note:
            return (self._note,)
        passed = self._clock() - self._first
        rate = (used - 1) / passed if passed >= _SETTLED else None
        return wording.speed(rate), wording.seconds(passed), self._hint, self._keys

    def _thoughts(self, console: Console, options: ConsoleOptions) -> Iterator[Text]:
        rows = max(1, min(ROWS, options.size.height - 4))
        text = Text(self._text.strip("\n"), style="dim", tab_size=4)
        yield from text.wrap(console, options.max_width)[-rows:] if text else ()


class HiddenThoughts(LiveThoughts):
    """The bar alone."""

    def _take(self, text: str) -> None:
        """Thoughts are not shown."""


class FullThoughts(LiveThoughts):
    """All thoughts: finished lines stay on the screen, above the line under way."""

    def end(self) -> None:
        """Prints the line under way and closes the region."""
        rest, self._text = self._text.rstrip("\n"), ""
        if rest:
            self._print(rest)
        super().end()

    def _take(self, text: str) -> None:
        *finished, rest = (self._text + text).split("\n")
        self._text = rest
        if finished:
            self._print("\n".join(finished))

    def _print(self, text: str) -> None:
        self._live.print_above(Text(text, style="dim", tab_size=4))
