"""The status line under the thoughts: how far the thinking is, how fast, and what keys there are.

Knows widths: it is one line, whatever the screen. Knows nothing of what is on the screen around it.
"""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from qwen3_mlx.cli import wording

_BAR = range(8, 30)  # columns
_COLOURS = ((0.9, "red"), (0.75, "yellow"), (0.0, "cyan"))
"""From which part of the budget on the bar has which colour."""


def status_line(used: int, budget: int | None, details: tuple[str, ...], width: int) -> Text:
    """How far the thinking is, on one line: as much of it as fits `width` columns.

    Args:
        used: Tokens.
        budget: Tokens; None for no end, which makes no bar.
        details: What else there is to say, the first ones before the last.
        width: Columns.
    """
    for numbers in _numbers(wording.progress(used, budget), details):
        if budget is None:
            if len(numbers) + len("thinking ") <= width:
                return Text(f"thinking {numbers}")
            continue
        columns = width - len(f"thinking  {numbers}")
        if columns >= _BAR.start:
            return Text.assemble("thinking ", _bar(used, budget, columns), " ", numbers)
    return fit(Text(f"thinking {wording.progress(used, budget)}"), width)


def fit(line: Text, width: int) -> Text:
    """The line, shortened to `width` columns."""
    line.truncate(width, overflow="ellipsis")
    return line


def _numbers(first: str, details: tuple[str, ...]) -> Iterator[str]:
    for count in range(len(details), -1, -1):
        yield wording.joined(first, *details[:count])


def _bar(used: int, budget: int, room: int) -> Text:
    columns = min(room, _BAR.stop)
    filled = columns if used >= budget else used * columns // budget
    return Text("━" * filled, style=bar_colour(used, budget)).append(
        "─" * (columns - filled), style="dim"
    )


def bar_colour(used: int, budget: int) -> str:
    """The colour of the bar: it changes towards the end of the budget."""
    return next(colour for start, colour in _COLOURS if used >= start * budget)
