"""Line charts as SVG: named series of points over axes, readable in light and in dark.

Knows points, ticks and SVG. Does not know what the numbers are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias
from xml.sax.saxutils import escape

from qwen3_mlx.cli.filter import clean_line

Point: TypeAlias = tuple[float, float]

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 72, 24, 84, 52
LEGEND = 46
LETTER = 8  # pixels that are enough for one, on average
STEPS = 5
EXACT = 1e-9
"""Of a step: so little is an error of rounding."""

# Okabe and Ito's colours, told apart by most who see colours differently; lighter ones in the dark.
LIGHT = ("#0072b2", "#d55e00", "#007a5a", "#a8437f", "#7a6200", "#333333")
DARK = ("#56b4e9", "#e69f00", "#29c197", "#e08fbf", "#f0e442", "#cccccc")
SCHEME = """\
text {{ font: 13px system-ui, sans-serif; fill: {text} }}
.title {{ font-weight: 600; font-size: 15px }}
.page {{ fill: {page} }}
.grid {{ stroke: {grid} }}
.axis {{ stroke: {text} }}
"""


@dataclass(frozen=True, slots=True)
class Series:
    """A line.

    Attributes:
        name: In the legend.
        points: At least one; drawn in the order of x.
        intervals: For each point, from where to where y may be; none are drawn without them.
    """

    name: str
    points: Sequence[Point]
    intervals: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Lines over the same axes. The y axis shows 0, whatever the numbers are.

    Attributes:
        title: Above it.
        x: What the x axis shows.
        y: What the y axis shows.
        series: At least one.
        places: What stands at 0, 1, 2 and so on of the x axis, where those are no numbers.
    """

    title: str
    x: str
    y: str
    series: Sequence[Series]
    places: Sequence[str] = ()


def draw(charts: Sequence[Chart]) -> str:
    """An SVG document with the charts, one below the other.

    Raises:
        ValueError: no charts, a chart or a series with nothing in it, or a number not finite.
    """
    if not charts or not all(chart.series for chart in charts):
        raise ValueError("there is nothing to draw")
    size = f'width="{WIDTH}" height="{HEIGHT * len(charts)}"'
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} '
            f'viewBox="0 0 {WIDTH} {HEIGHT * len(charts)}">',
            f"<title>{_text('; '.join(chart.title for chart in charts))}</title>",
            f"<style>\n{_style()}</style>",
            '<rect class="page" width="100%" height="100%"/>',
            *(line for place, chart in enumerate(charts) for line in _chart(chart, place)),
            "</svg>\n",
        )
    )


def step(low: float, high: float) -> float:
    """1, 2 or 5 x 10^n: steps of that size make about five of the way to `high`, which is more."""
    rough = (high - low) / STEPS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(power * n for n in (1, 2, 5, 10) if power * n >= rough)


def ticks(low: float, high: float) -> list[float]:
    """The multiples of their step from `low` to `high`, which is more."""
    size = step(low, high)
    first, last = math.ceil(low / size - EXACT), math.floor(high / size + EXACT)
    return [number * size for number in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Scale:
    """From numbers to pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return round(self.start + share * (self.end - self.start), 2)


def _scales(series: Sequence[Series], places: Sequence[str]) -> tuple[Scale, Scale]:
    xs = [x for line in series for x, _ in line.points] + [*range(len(places))]
    ys = [y for line in series for _, y in line.points]
    ys += [end for line in series for interval in line.intervals for end in interval]
    if not all(line.points for line in series) or not all(map(math.isfinite, xs + ys)):
        raise ValueError("a series needs points, and points finite numbers")
    left, right = (min(xs), max(xs)) if min(xs) < max(xs) else (min(xs) - 1, min(xs) + 1)
    low, high = min(0.0, *ys), max(0.0, *ys) if any(ys) else 1.0
    size = step(low, high)
    bottom, top = math.floor(low / size + EXACT) * size, math.ceil(high / size - EXACT) * size
    return Scale(left, right, LEFT, WIDTH - RIGHT), Scale(bottom, top, HEIGHT - BOTTOM, TOP)


def _chart(chart: Chart, place: int) -> Iterator[str]:
    x, y = _scales(chart.series, chart.places)
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<g transform="translate(0 {HEIGHT * place})">'
    yield f'<text class="title" x="{LEFT}" y="24">{_text(chart.title)}</text>'
    yield from _axes(x, y, chart.places)
    yield f'<text x="{middle:g}" y="{HEIGHT - 12}" text-anchor="middle">{_text(chart.x)}</text>'
    yield f'<text x="{LEFT}" y="{TOP - 10}">{_text(chart.y)}</text>'
    for number, line in enumerate(chart.series):
        yield from _line(line, number, x, y)
    if len(chart.series) > 1:
        yield from _legend(chart.series)
    yield "</g>"


def _axes(x: Scale, y: Scale, places: Sequence[str]) -> Iterator[str]:
    for value in ticks(y.low, y.high):
        at = y(value)
        yield f'<path class="grid" d="M{x.start:g} {at:g}H{x.end:g}"/>'
        yield f'<text x="{LEFT - 8}" y="{at + 4:g}" text-anchor="end">{_number(value)}</text>'
    named: list[tuple[float, str]] = [*enumerate(places)]
    named = named or [(value, _number(value)) for value in ticks(x.low, x.high)]
    for value, name in named:
        at = x(value)
        yield f'<path class="axis" d="M{at:g} {y.start:g}v5"/>'
        yield f'<text x="{at:g}" y="{y.start + 20:g}" text-anchor="middle">{_text(name)}</text>'
    yield f'<path class="axis" d="M{x.start:g} {y.start:g}H{x.end:g}"/>'


def _line(series: Series, number: int, x: Scale, y: Scale) -> Iterator[str]:
    at = [(x(point[0]), y(point[1])) for point in sorted(series.points)]
    path = " ".join(f"{left:g},{top:g}" for left, top in at)
    yield f'<g class="s{number % len(LIGHT)}"><title>{_text(series.name)}</title>'
    yield f'<polyline fill="none" stroke-width="2" points="{path}"/>'
    if series.intervals:
        for (place, _), (low, high) in zip(series.points, series.intervals, strict=True):
            yield _whisker(x(place), y(low), y(high))
    yield from (_mark(number, *point) for point in at)
    yield "</g>"


def _whisker(x: float, low: float, high: float) -> str:
    """An upright line with a short bar across each end."""
    return f'<path fill="none" d="M{x - 4:g} {low:g}h8m-4 0V{high:g}m-4 0h8"/>'


def _legend(series: Sequence[Series]) -> Iterator[str]:
    left = LEFT
    for number, line in enumerate(series):
        name = clean_line(line.name)
        yield f'<g class="s{number % len(LIGHT)}">{_mark(number, left + 5, LEGEND - 5)}</g>'
        yield f'<text x="{left + 16}" y="{LEGEND}">{_text(name)}</text>'
        left += 16 + LETTER * len(name) + 20


def _mark(number: int, x: float, y: float) -> str:
    """A point: each series has a shape of its own as long as there are shapes."""
    shapes = (
        f'<circle cx="{x:g}" cy="{y:g}" r="4"/>',
        f'<rect x="{x - 4:g}" y="{y - 4:g}" width="8" height="8"/>',
        f'<path d="M{x:g} {y - 5:g}l5 9h-10z"/>',
        f'<path d="M{x:g} {y - 5:g}l5 5-5 5-5-5z"/>',
    )
    return shapes[number % len(shapes)]


def _style() -> str:
    light = SCHEME.format(text="#1f2328", page="#ffffff", grid="#d8dee4") + _colours(LIGHT)
    dark = SCHEME.format(text="#e6edf3", page="#0d1117", grid="#30363d") + _colours(DARK)
    return f"{light}@media (prefers-color-scheme: dark) {{\n{dark}}}\n"


def _colours(colours: Sequence[str]) -> str:
    return "".join(f".s{n} {{ stroke: {c}; fill: {c} }}\n" for n, c in enumerate(colours))


def _number(value: float) -> str:
    return f"{value:.10g}"


def _text(text: str) -> str:
    return escape(clean_line(text))
