"""Charts: well-formed SVG whose points and ticks are where arithmetic puts them."""

from __future__ import annotations

import math
import re
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.cli.chart import (
    BOTTOM,
    DARK,
    HEIGHT,
    LEFT,
    LIGHT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Series,
    draw,
    ticks,
)

SPACE = "{http://www.w3.org/2000/svg}"
NUMBERS = st.floats(-1e9, 1e9, allow_subnormal=False)
TWO = Chart(
    "Speed", "tokens", "a second", [Series("a", [(0, 0), (100, 50)]), Series("b", [(50, 100)])]
)


def drawn(*charts: Chart) -> Element:
    return ElementTree.XML(draw(charts))


def texts(root: Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SPACE}text")]


def lines(root: Element) -> list[list[tuple[float, float]]]:
    """The points of each line, in pixels."""
    found = (element.attrib["points"].split() for element in root.iter(f"{SPACE}polyline"))
    return [[(float(x), float(y)) for x, y in (p.split(",") for p in line)] for line in found]


def test_points_are_where_they_belong() -> None:
    """x from 0 to 100 over the width of the axes, y from 0 to 100 over their height."""
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    first, second = lines(drawn(TWO))
    assert first == [(LEFT, TOP + height), (LEFT + width, TOP + height / 2)]
    assert second == [(LEFT + width / 2, TOP)]


def test_axes_and_legend_are_written() -> None:
    assert texts(drawn(TWO)) == [
        "Speed",
        *("0", "20", "40", "60", "80", "100"),
        *("0", "20", "40", "60", "80", "100"),
        *("tokens", "a second", "a", "b"),
    ]


def test_one_line_needs_no_legend() -> None:
    assert texts(drawn(Chart("t", "x", "y", [Series("alone", [(1, 2), (3, 4)])])))[-2:] == [
        "x",
        "y",
    ]


def test_points_are_joined_from_left_to_right() -> None:
    (line,) = lines(drawn(Chart("t", "x", "y", [Series("a", [(3, 1), (1, 1), (2, 1)])])))
    assert [x for x, _ in line] == sorted(x for x, _ in line)


def test_intervals_are_upright_lines_from_end_to_end() -> None:
    """y from 0 to 100: 25 and 75 are a quarter of the height from its ends; the mark is between."""
    series = Series("a", [(0, 50), (1, 100)], [(25, 75), (100, 100)])
    root = drawn(Chart("t", "x", "y", [series]))
    paths = [path.attrib["d"] for path in root.iter(f"{SPACE}path")]
    quarter = (HEIGHT - TOP - BOTTOM) / 4
    low, high = HEIGHT - BOTTOM - quarter, TOP + quarter
    assert f"M{LEFT - 4:g} {low:g}h8m-4 0V{high:g}m-4 0h8" in paths


def test_an_interval_makes_room_for_itself() -> None:
    """Up to 90 the axis would end at 100; with an interval up to 130 it ends at 150."""
    bare, spread = Series("a", [(0, 90)]), Series("a", [(0, 90)], [(80, 130)])
    assert "150" in texts(drawn(Chart("t", "x", "y", [spread])))
    assert "150" not in texts(drawn(Chart("t", "x", "y", [bare])))


def test_places_have_names_and_keep_their_distance() -> None:
    """Three names at 0, 1 and 2, whatever they say; the point at 1 is in the middle."""
    root = drawn(Chart("t", "x", "y", [Series("a", [(1, 2)])], ["0", "512", "no<ne"]))
    assert texts(root)[-5:] == ["0", "512", "no<ne", "x", "y"]
    assert lines(root)[0][0][0] == (LEFT + WIDTH - RIGHT) / 2


def test_every_point_has_its_interval_or_none_has() -> None:
    with pytest.raises(ValueError, match="zip"):
        drawn(Chart("t", "x", "y", [Series("a", [(0, 1), (1, 1)], [(0, 1)])]))


def test_charts_stand_below_each_other() -> None:
    root = drawn(TWO, TWO)
    assert root.attrib["height"] == str(2 * HEIGHT)
    groups = [g.attrib["transform"] for g in root.iter(f"{SPACE}g") if "transform" in g.attrib]
    assert groups == ["translate(0 0)", f"translate(0 {HEIGHT})"]


@pytest.mark.parametrize("y", [0.0, 7.0, -3.0])
def test_a_single_point_is_in_the_middle(y: float) -> None:
    (((x, at),),) = lines(drawn(Chart("t", "x", "y", [Series("a", [(5, y)])])))
    assert x == (LEFT + WIDTH - RIGHT) / 2
    assert TOP <= at <= HEIGHT - BOTTOM


def test_what_is_below_zero_has_its_place() -> None:
    """From -5 to 10: zero is a third of the way up."""
    ((low, zero, high),) = lines(
        drawn(Chart("t", "x", "y", [Series("a", [(0, -5), (1, 0), (2, 10)])]))
    )
    assert (low[1], high[1]) == (HEIGHT - BOTTOM, TOP)
    assert zero[1] == pytest.approx(low[1] - (low[1] - high[1]) / 3, abs=0.01)


@given(
    st.lists(
        st.tuples(NUMBERS, NUMBERS),
        min_size=1,
        max_size=9,
    )
)
def test_no_point_leaves_the_axes(points: list[tuple[float, float]]) -> None:
    (line,) = lines(drawn(Chart("t", "x", "y", [Series("a", points)])))
    assert all(LEFT <= x <= WIDTH - RIGHT and TOP <= y <= HEIGHT - BOTTOM for x, y in line)


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 100, [0, 20, 40, 60, 80, 100]),
        (0, 0.3, [0, 0.1, 0.2, 0.3]),
        (128, 2048, [500, 1000, 1500, 2000]),
        (-5, 10, [-5, 0, 5, 10]),
    ],
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


@given(st.floats(-1e6, 1e6), st.floats(0.01, 1e6))
def test_there_are_a_few_ticks_within_the_axis(low: float, size: float) -> None:
    found = ticks(low, low + size)
    assert 1 <= len(found) <= 6
    assert all(low - size * 1e-6 <= tick <= low + size * (1 + 1e-6) for tick in found)


def test_whatever_a_name_says_it_stays_text() -> None:
    name = 'a<script>&"\x1b[2J\x00'
    root = drawn(Chart(name, name, name, [Series(name, [(1, 1)]), Series("b", [(1, 1)])]))
    assert texts(root).count('a<script>&"') == 4
    assert root.find(f".//{SPACE}script") is None


def test_series_differ_in_colour_and_in_shape() -> None:
    series = [Series(str(number), [(1, number)]) for number in range(4)]
    root = drawn(Chart("t", "x", "y", series))
    groups = [g for g in root.iter(f"{SPACE}g") if g.find(f"{SPACE}polyline") is not None]
    assert [g.attrib["class"] for g in groups] == ["s0", "s1", "s2", "s3"]
    marks = [(g[-1].tag, re.sub(r"[\d.]", "", g[-1].attrib.get("d", ""))) for g in groups]
    assert len({*marks}) == 4


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_lines_and_text_stand_out_in_light_and_in_dark() -> None:
    """WCAG 2.1: 3 for what is drawn, 4.5 for text."""
    style = drawn(TWO).find(f"{SPACE}style")
    assert style is not None
    light, dark = (style.text or "").split("@media (prefers-color-scheme: dark)")
    for scheme, colours in ((light, LIGHT), (dark, DARK)):
        page, text = (
            re.findall(rf"{what}.*?fill: (#\w+)", scheme)[0] for what in (r"\.page", "text")
        )
        assert contrast(text, page) > 4.5
        assert min(contrast(colour, page) for colour in colours) > 3
        assert all(colour in scheme for colour in colours)


@pytest.mark.parametrize(
    "charts",
    [
        [],
        [Chart("t", "x", "y", [])],
        [Chart("t", "x", "y", [Series("a", [])])],
        [Chart("t", "x", "y", [Series("a", [(1, 1)]), Series("b", [])])],
        [Chart("t", "x", "y", [Series("a", [(1, math.nan)])])],
        [Chart("t", "x", "y", [Series("a", [(math.inf, 1)])])],
    ],
)
def test_nothing_is_not_drawn(charts: list[Chart]) -> None:
    with pytest.raises(ValueError, match=r"nothing to draw|finite"):
        draw(charts)
