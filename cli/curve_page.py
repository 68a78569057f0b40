"""What `qwen3-mlx curve` shows of curves: a table, bars, and charts.

Knows how figures look. Does not know how they came about.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from qwen3_mlx.cli.chart import Chart, Series
from qwen3_mlx.cli.filter import clean_line
from qwen3_mlx.cli.heatmap import Line
from qwen3_mlx.cli.shares import Share, Shares, share_bars
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.evaluation.curve import Budget
from qwen3_mlx.evaluation.figures import Figures
from qwen3_mlx.evaluation.saved import Curve

HEAD = ("budget", "right", "95 %", "thinking", "stopped", "seconds")
MEANING = (
    "right: of the answers, with Wilson's interval. thinking: tokens used, the mean. stopped: by"
    " the budget. seconds: of one reply, the mean."
)
APART = 0.06
"""Of the way from one budget to the next: so far are the points of two curves from each other."""


def page(curves: Sequence[Curve], width: int) -> Iterator[Line]:
    """The whole page for a screen of that width."""
    for curve in curves:
        yield from _paragraph(_title(curve), width)
        yield from _lines(columns(HEAD, [_cells(each) for each in curve.figures], width))
        yield from _categories(curve, width)
        yield [""]
    yield from _paragraph(MEANING, width)
    yield [""]
    yield ["right answers, by budget"]
    yield from share_bars(_groups(curves), width)


def charts(curves: Sequence[Curve]) -> list[Chart]:
    """Right answers and thinking tokens over the budget."""
    budgets = _budgets(curves)
    title = _together(curves)
    return [
        Chart(
            title=f"{title}: right answers",
            x="thinking budget, tokens",
            y="right, %, with their 95 % intervals",
            series=[
                _right(curve, budgets, APART * (number - (len(curves) - 1) / 2))
                for number, curve in enumerate(curves)
            ],
            places=[*map(budget_name, budgets)],
        ),
        Chart(
            title=f"{title}: thinking",
            x="thinking budget, tokens",
            y="thinking tokens used, mean",
            series=[
                Series(
                    curve.setup.model,
                    [(budgets.index(each.budget), each.thinking_tokens) for each in curve.figures],
                )
                for curve in curves
            ],
            places=[*map(budget_name, budgets)],
        ),
    ]


def budget_name(budget: Budget) -> str:
    """A budget as people write it."""
    return "none" if budget is None else str(budget)


def _title(curve: Curve) -> str:
    setup = curve.setup
    drawn = setup.thinking.get("temperature") or setup.answering.get("temperature")
    how = "sampled" if drawn else "greedy"
    of = f"{setup.count} tasks of {clean_line(setup.tasks)}"
    return f"{clean_line(setup.model)}: {of}, {how}."


def _cells(each: Figures) -> tuple[str, ...]:
    interval = each.interval
    return (
        f"{budget_name(each.budget):>6}",
        f"{each.right} of {each.count}, {each.share:.1%}",
        f"{100 * interval.low:.1f}-{interval.high:.1%}",
        f"{each.thinking_tokens:.1f}",
        f"{each.stopped:.0%}",
        f"{each.seconds:.3g} s",
    )


def _categories(curve: Curve, width: int) -> Iterator[Line]:
    """The share of right answers of each category, where there are several."""
    categories = curve.by_category
    if len(categories) < 2:
        return
    yield [""]
    head = ("right, by category", *(f"{budget_name(b):>4}" for b in curve.setup.budgets))
    rows = [
        (f"{clean_line(name)} ({group[0].count})", *(f"{each.share:4.0%}" for each in group))
        for name, group in categories.items()
    ]
    yield from _lines(columns(head, rows, width))


def _groups(curves: Sequence[Curve]) -> list[Shares]:
    return [
        Shares(
            budget_name(budget),
            [
                (clean_line(curve.setup.model) if len(curves) > 1 else "", _share(curve, budget))
                for curve in curves
            ],
        )
        for budget in _budgets(curves)
    ]


def _share(curve: Curve, budget: Budget) -> Share | None:
    shares = (
        Share(each.share, each.interval.low, each.interval.high)
        for each in curve.figures
        if each.budget == budget
    )
    return next(shares, None)


def _right(curve: Curve, budgets: Sequence[Budget], aside: float) -> Series:
    """Percent with their intervals, which are drawn a little aside of those of other curves."""
    found = curve.figures
    return Series(
        curve.setup.model,
        [(budgets.index(each.budget) + aside, 100 * each.share) for each in found],
        [(100 * each.interval.low, 100 * each.interval.high) for each in found],
    )


def _budgets(curves: Sequence[Curve]) -> list[Budget]:
    """Those of all curves, from none to no end."""
    every = {each.budget for curve in curves for each in curve.figures}
    return sorted(every, key=lambda budget: float("inf") if budget is None else budget)


def _together(curves: Sequence[Curve]) -> str:
    """What all curves are of, as far as it is the same."""
    first = curves[0].setup
    tasks = {curve.setup.tasks for curve in curves}
    of = f"{first.count} tasks of {first.tasks}" if len(tasks) == 1 else "several tasks"
    return f"{first.model}, {of}" if len(curves) == 1 else of


def _paragraph(text: str, width: int) -> Iterator[Line]:
    return _lines(textwrap.wrap(text, width))


def _lines(lines: Sequence[str]) -> Iterator[Line]:
    for line in lines:
        yield [line]
