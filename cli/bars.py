"""Bars in a terminal: numbers side by side, as blocks of colour or as characters.

Knows widths and how long each bar is. Does not know what the numbers are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qwen3_mlx.cli.heatmap import GAP, Line, Shade

SHADES = (Shade(5), Shade(3), Shade(7), Shade(1))
"""Of the bars of one group, in order: told apart as colours and as characters."""


@dataclass(frozen=True, slots=True)
class Group:
    """Bars that belong together.

    Attributes:
        label: What they have in common.
        bars: A name and a number >= 0 for each.
    """

    label: str
    bars: Sequence[tuple[str, float]]


def bars(groups: Sequence[Group], width: int) -> Iterator[Line]:
    """A line for each bar; the longest takes what the names and numbers leave of the width."""
    every = [bar for group in groups for bar in group.bars]
    label = max(len(group.label) for group in groups)
    name = max(len(name) for name, _ in every)
    head = len(GAP) + label + len(GAP) + (name + len(GAP) if name else 0)
    cells = max(1, width - head - 1 - max(len(_number(value)) for _, value in every))
    most = max(value for _, value in every)
    for group in groups:
        for place, (of, value) in enumerate(group.bars):
            said = "" if place else group.label
            yield [
                f"{GAP}{said:>{label}}{GAP}",
                f"{of:{name}}{GAP}" if name else "",
                *[SHADES[place % len(SHADES)]] * _cells(value, most, cells),
                f" {_number(value)}",
            ]


def _cells(value: float, most: float, cells: int) -> int:
    return round(cells * value / most) if most > 0 else 0


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 10 else f"{value:.1f}"
