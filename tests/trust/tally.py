"""What an attack came to: how often each outcome, and how to see again what should not have been.

Knows how figures are counted and shown. Does not know what is attacked.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NoReturn

KEPT = 5
"""Offenders that are told one by one."""


@dataclass
class Tally:
    """Outcomes of the trials of one attack.

    Attributes:
        counts: How many trials had each outcome.
        fallen: How many had each outcome that must not be.
        offenders: The first of those, with what repeats them.
        figures: Measurements besides the counts, by what they are of.
    """

    counts: Counter[str] = field(default_factory=Counter)
    fallen: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)
    figures: dict[str, str] = field(default_factory=dict)

    def held(self, outcome: str, times: int = 1) -> None:
        """A trial, or several, went as it should."""
        self.counts[outcome] += times

    def fell(self, outcome: str, trial: str) -> None:
        """A trial went as it must not; `trial` says how to repeat it."""
        self.counts[outcome] += 1
        self.fallen[outcome] += 1
        if len(self.offenders) < KEPT:
            self.offenders.append(f"{outcome}: {trial}")

    def add(self, other: Tally) -> None:
        """The outcomes of another part of the same attack."""
        self.counts += other.counts
        self.fallen += other.fallen
        self.offenders = [*self.offenders, *other.offenders][:KEPT]
        self.figures |= other.figures

    def table(self) -> str:
        """Lines for people: outcomes, figures, offenders."""
        numbers = [(f"{count:,}", outcome) for outcome, count in self.counts.most_common()]
        rows = [*numbers, *((value, name) for name, value in self.figures.items())]
        width = max((len(number) for number, _ in rows), default=0)
        lines = [f"{number:>{width}}  {what}" for number, what in rows]
        return "\n".join([*lines, *self.offenders, f"fell: {self.fallen.total():,}"])


def main(attack: Callable[[int, int], Tally], default_count: int) -> NoReturn:
    """Run an attack from the command line; exits with 1 if something fell.

    Args:
        attack: Takes how many trials, and the seed that makes them the same again.
        default_count: Trials if none are asked for.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=default_count)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    tally = attack(asked.count, asked.seed)
    sys.stdout.write(f"{tally.table()}\n")
    sys.exit(1 if tally.fallen else 0)
