"""Heat maps in a terminal: numbers as blocks of colour, or as characters where there is none.

Knows shades and how they are drawn. Does not know what the numbers are: 1 is the usual one, and
each shade stands for twice the numbers of the one before.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NewType, TypeAlias

from qwen3_mlx.cli.filter import clean
from qwen3_mlx.cli.terminal import Terminal

if TYPE_CHECKING:
    from rich.text import Text

Shade = NewType("Shade", int)
Line: TypeAlias = Sequence[str | Shade]
"""A line of the screen: texts and cells."""

CHARACTERS = " .:-=+*%@"
# Matplotlib's viridis in eight steps, dark to light: told apart without telling colours apart.
COLOURS = ("440154", "46327e", "365c8d", "277f8e", "1fa187", "4ac16d", "a0da39", "fde725")
BOUNDS = ("<1/8", "<1/4", "<1/2", "<1", "<2", "<4", "<8", "more")
GAP = "  "
_FIRST = -4  # the smallest power of two that is told from those below it


def shade(number: float) -> Shade:
    """The shade of a number >= 0: none for 0, then one for each power of two from 1/8 to 8."""
    if number <= 0:
        return Shade(0)
    return Shade(min(max(math.floor(math.log2(number)) - _FIRST + 1, 1), len(COLOURS)))


def binned(numbers: Sequence[float], size: int) -> list[float]:
    """The means of so many numbers at a time; the last bin may have fewer."""
    bins = (numbers[start : start + size] for start in range(0, len(numbers), size))
    return [sum(some) / len(some) for some in bins]


def legend(width: int) -> Iterator[Line]:
    """What the shades stand for, on as many lines as it takes."""
    line: list[str | Shade] = []
    used = 0
    for number, bound in enumerate(BOUNDS, 1):
        entry = len(bound) + 2
        if used and used + len(GAP) + entry > width:
            yield line
            line, used = [], 0
        line += [GAP if used else "", Shade(number), f" {bound}"]
        used += entry + (len(GAP) if used else 0)
    yield line


def show(line: Line, terminal: Terminal) -> None:
    """Writes a line to standard output, in colour where that is wanted and possible."""
    if terminal.page is None:
        terminal.data(_plain(line).rstrip())
    else:
        terminal.page.print(_coloured(line), soft_wrap=True)


def _plain(line: Line) -> str:
    return "".join(part if isinstance(part, str) else CHARACTERS[part] for part in line)


def _coloured(line: Line) -> Text:
    from rich.text import Text

    return Text.assemble(*(_styled(part, len(list(same))) for part, same in groupby(line)))


def _styled(part: str | Shade, count: int) -> tuple[str, str]:
    """A part of a line that comes so many times in a row, and its style."""
    if isinstance(part, str):
        return clean(part) * count, ""
    return ("█" * count, f"#{COLOURS[part - 1]}") if part else (" " * count, "")
