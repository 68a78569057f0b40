"""Shares in a terminal: bars, each with the interval that the share is in.

Knows widths, parts of 1 and where they are. Does not know of what they are parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from qwen3_mlx.cli.bars import SHADES
from qwen3_mlx.cli.heatmap import GAP, Line, Shade

SHARE = "o"
LEAST_CELLS = 10


@dataclass(frozen=True, slots=True)
class Share:
    """A part of 1, and from where to where it may be."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares that belong together.

    Attributes:
        label: What they have in common.
        shares: A name and a share for each; None is not shown, and its shade not used.
    """

    label: str
    shares: Sequence[tuple[str, Share | None]]


def share_bars(groups: Sequence[Shares], width: int) -> Iterator[Line]:
    """A line for each share: a bar up to its interval, the interval as `[--o--]`, and the percent.

    All bars are drawn to the same scale, whose end is 1.
    """
    label = max(len(group.label) for group in groups)
    name = max(len(name) for group in groups for name, _ in group.shares)
    head = len(GAP) + label + len(GAP) + (name + len(GAP) if name else 0)
    cells = max(LEAST_CELLS, width - head - len(" 100%"))
    for group in groups:
        said = group.label
        for place, (of, share) in enumerate(group.shares):
            if share is None:
                continue
            bar = _bar(share, cells, SHADES[place % len(SHADES)])
            start = f"{GAP}{said:>{label}}{GAP}" + (f"{of:{name}}{GAP}" if name else "")
            yield [start, *bar, f" {share.value:.0%}"]
            said = ""


def _bar(share: Share, cells: int, shade: Shade) -> Line:
    """A bar of as many places as there are up to the end of the interval."""
    low, at, high = (round(end * (cells - 1)) for end in (share.low, share.value, share.high))
    interval = ["-"] * (high - low + 1)
    interval[0], interval[-1] = "[", "]"
    interval[at - low] = SHARE
    return [*[shade] * low, "".join(interval)]
