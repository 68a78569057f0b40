"""Bars: how long they are, and what stands beside them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.cli.bars import SHADES, Group, bars
from qwen3_mlx.cli.heatmap import CHARACTERS, Line


def plain(line: Line) -> str:
    return "".join(part if isinstance(part, str) else CHARACTERS[part] for part in line)


def test_the_longest_takes_what_is_left_and_the_others_their_share() -> None:
    """24 columns: 2 + 1 + 2 for the label, 4 for the number: 15 cells."""
    groups = [Group("1", [("", 100)]), Group("2", [("", 33)]), Group("3", [("", 0)])]
    assert [*map(plain, bars(groups, 24))] == [
        f"  1  {'+' * 15} 100",
        f"  2  {'+' * 5} 33",
        "  3   0.0",
    ]


def test_groups_are_named_once_and_labels_end_under_each_other() -> None:
    groups = [Group("8", [("we", 4), ("others", 2)]), Group("64", [("we", 1), ("others", 4)])]
    assert [*map(plain, bars(groups, 22))] == [
        "   8  we      ++++ 4.0",
        "      others  -- 2.0",
        "  64  we      + 1.0",
        "      others  ---- 4.0",
    ]


def test_bars_of_a_group_differ_also_without_colour() -> None:
    assert len({CHARACTERS[shade] for shade in SHADES}) == len(SHADES)


@given(
    st.lists(st.floats(0, 1e6), min_size=1, max_size=6),
    st.integers(30, 120),
)
def test_no_line_is_longer_than_the_screen(values: list[float], width: int) -> None:
    groups = [Group(str(number), [("one", value)]) for number, value in enumerate(values)]
    assert max(len(plain(line)) for line in bars(groups, width)) <= width


@pytest.mark.parametrize("width", [1, 10])
def test_a_narrow_screen_still_gets_a_bar(width: int) -> None:
    (line,) = bars([Group("label", [("name", 5)])], width)
    assert plain(line) == "  label  name  + 5.0"
