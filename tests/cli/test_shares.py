"""Shares as bars: where they end, and where their intervals are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.cli.heatmap import CHARACTERS, Line
from qwen3_mlx.cli.shares import Share, Shares, share_bars

PARTS = st.lists(st.floats(0, 1), min_size=3, max_size=3).map(sorted)


def plain(line: Line) -> str:
    return "".join(part if isinstance(part, str) else CHARACTERS[part] for part in line)


def test_a_bar_goes_to_its_interval_and_the_interval_around_the_share() -> None:
    """31 columns: 2 + 2 + 2 for the label, 5 for the percent: 20 cells, 19 steps of 1/19."""
    groups = [
        Shares("8", [("", Share(10 / 19, 5 / 19, 14 / 19))]),
        Shares("16", [("", Share(1, 15 / 19, 1))]),
        Shares("0", [("", Share(0, 0, 3 / 19))]),
    ]
    assert [*map(plain, share_bars(groups, 31))] == [
        "   8  +++++[----o---] 53%",
        "  16  +++++++++++++++[---o 100%",
        "   0  o--] 0%",
    ]


def test_shares_of_a_group_have_names_and_shades_of_their_own() -> None:
    share = Share(0.5, 0.5, 0.5)
    lines = [*map(plain, share_bars([Shares("8", [("tiny", share), ("other", share)])], 30))]
    assert lines == ["  8  tiny   ++++++o 50%", "     other  ------o 50%"]


def test_what_is_not_there_keeps_its_shade() -> None:
    share = Share(0.5, 0.5, 0.5)
    groups = [Shares("8", [("tiny", None), ("other", share)]), Shares("9", [("tiny", share)])]
    lines = [*map(plain, share_bars(groups, 30))]
    assert lines == ["  8  other  ------o 50%", "  9  tiny   ++++++o 50%"]


@given(st.lists(PARTS, min_size=1, max_size=5), st.integers(30, 120))
def test_no_line_is_longer_than_the_screen(parts: list[list[float]], width: int) -> None:
    groups = [Shares("all", [("", Share(at, low, high))]) for low, at, high in parts]
    lines = [*map(plain, share_bars(groups, width))]
    assert max(map(len, lines)) <= width
    assert all(line.count("o") == 1 for line in lines)
