"""What the records of a curve come to: shares with their intervals, and means.

Knows records. Does not know how they look on a screen or in a file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from qwen3_mlx.evaluation.curve import Budget, Record
from qwen3_mlx.evaluation.interval import Interval, wilson


@dataclass(frozen=True, slots=True)
class Figures:
    """What a budget came to over some tasks.

    Attributes:
        budget: Tokens, None for no end.
        count: Of the tasks.
        right: How many answers are.
        interval: Wilson's for their share, at 95 %.
        thinking_tokens: Used of the budget, the mean.
        stopped: The share of the replies whose thoughts the budget ended.
        seconds: Of a reply, the mean; see `Record`.
    """

    budget: Budget
    count: int
    right: int
    interval: Interval
    thinking_tokens: float
    stopped: float
    seconds: float

    @property
    def share(self) -> float:
        """Of the right answers, as a part of 1."""
        return self.right / self.count


def figures(records: Iterable[Record], budgets: Sequence[Budget]) -> list[Figures]:
    """The figures of each budget that has records, in the order given."""
    groups: dict[Budget, list[Record]] = {budget: [] for budget in budgets}
    for record in records:
        groups[record.budget].append(record)
    return [_figures(budget, group) for budget, group in groups.items() if group]


def by_category(records: Sequence[Record], budgets: Sequence[Budget]) -> dict[str, list[Figures]]:
    """The figures of each category, in the order in which they occur; without categories none."""
    names = {record.category: None for record in records if record.category}
    return {
        name: figures([record for record in records if record.category == name], budgets)
        for name in names
    }


def _figures(budget: Budget, records: Sequence[Record]) -> Figures:
    def mean(value: Callable[[Record], float]) -> float:
        return fmean(value(record) for record in records)

    right = sum(record.right for record in records)
    return Figures(
        budget=budget,
        count=len(records),
        right=right,
        interval=wilson(right, len(records)),
        thinking_tokens=mean(lambda record: record.thinking_tokens),
        stopped=mean(lambda record: record.stop_thinking == "budget"),
        seconds=mean(lambda record: record.seconds),
    )
