"""Wilson's interval, against values worked out by hand and against its definition."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.evaluation.interval import Z95, Interval, wilson


def ends(right: int, count: int) -> tuple[float, float]:
    interval = wilson(right, count)
    return interval.low, interval.high


def test_half_of_ten() -> None:
    """z2 = 3.841459: the middle is 0.5; half is 1.959964 * sqrt(0.025 + 0.009604) / 1.384146."""
    assert ends(5, 10) == pytest.approx((0.2366, 0.7634), abs=5e-5)


def test_none_and_all_of_ten() -> None:
    """z2 / (n + z2) = 3.841459 / 13.841459."""
    assert ends(0, 10) == pytest.approx((0, 0.27753), abs=1e-5)
    assert ends(10, 10) == pytest.approx((0.72247, 1), abs=1e-5)


def test_nothing_says_nothing() -> None:
    assert wilson(0, 0) == Interval(0.0, 1.0)


@pytest.mark.parametrize(("right", "count"), [(-1, 5), (6, 5)])
def test_what_makes_no_sense(right: int, count: int) -> None:
    with pytest.raises(ValueError, match=f"{right} of {count}"):
        wilson(right, count)


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_its_ends_are_the_shares_just_so_far_from_the_one_seen(pair: tuple[int, int]) -> None:
    """Wilson's definition: |p - share| = z sqrt(p (1 - p) / n) at both ends; and symmetry."""
    right, count = pair
    share, interval = right / count, wilson(right, count)
    assert 0 <= interval.low <= share <= interval.high <= 1
    for end in (interval.low, interval.high):
        if 0 < end < 1:
            distance = Z95 * math.sqrt(end * (1 - end) / count)
            assert abs(end - share) == pytest.approx(distance, rel=1e-6)
    other = wilson(count - right, count)
    assert (1 - other.high, 1 - other.low) == pytest.approx((interval.low, interval.high))
