"""Wilson's score interval for a share (Wilson, JASA 22, 1927, pages 209-212).

Knows how many of how many. Unlike the share plus and minus two standard errors it stays between 0
and 1, and says something also where none or all of a few are right.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

Z95 = 1.959963984540054
"""So many standard deviations around its mean hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a share is with 95 % confidence, as parts of 1."""

    low: float
    high: float


def wilson(right: int, count: int) -> Interval:
    """The interval for `right` of `count` independent trials; all of 0 to 1 where there are none.

    Raises:
        ValueError: more are right than there are, or fewer than none.
    """
    if not 0 <= right <= count:
        raise ValueError(f"{right} of {count}")
    if count == 0:
        return Interval(0.0, 1.0)
    share, z2 = right / count, Z95 * Z95
    middle = (share + z2 / (2 * count)) / (1 + z2 / count)
    spread = share * (1 - share) / count + z2 / (4 * count * count)
    half = Z95 * math.sqrt(spread) / (1 + z2 / count)
    low = 0.0 if right == 0 else middle - half
    high = 1.0 if right == count else middle + half
    return Interval(low, high)
