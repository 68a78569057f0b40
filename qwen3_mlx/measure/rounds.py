"""The order of the runs: at each length everybody in turn, again and again; then the next turns.

Knows who runs and in which order. Does not know what a run does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from qwen3_mlx.measure.plan import Plan
from qwen3_mlx.measure.samples import Sample


class Runner(Protocol):
    """Whoever is measured."""

    @property
    def name(self) -> str:
        """What it is called."""

    def run(self, length: int, tokens: int) -> Sample:
        """Read a prompt of so many tokens, with nothing of it cached, and go on for `tokens`."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The first token of a second question, when the model has read all that was before it.

    Attributes:
        cached_tokens: Of its prompt.
        prompt_tokens: In all.
    """

    first_token_seconds: float
    cached_tokens: int
    prompt_tokens: int


class Talker(Runner, Protocol):
    """A runner that remembers what it has read."""

    def next_turn(self, length: int) -> Turn:
        """Ask a second question after about so many tokens that are in the cache."""

    def forget(self) -> None:
        """Drop what was remembered, memory included."""


@dataclass(frozen=True, slots=True)
class Round:
    """One run of each.

    Attributes:
        length: Tokens of the prompt.
        counts: False where it was to warm up.
        samples: By the names of the runners.
    """

    length: int
    counts: bool
    samples: dict[str, Sample]


@dataclass(frozen=True, slots=True)
class Again:
    """One second question; attributes as for `Round`."""

    length: int
    counts: bool
    turn: Turn


Step: TypeAlias = Round | Again


def steps(ours: Talker, peers: Sequence[Runner], plan: Plan) -> Iterator[Step]:
    """All runs of a plan, each made when it is asked for; at each length the first warms up.

    Second questions come after all rounds of their length, so that no run finds memory taken by
    what is remembered for them. They are ours alone: peers leave it to their callers to remember.
    """
    for length in plan.lengths:
        for number in range(plan.runs + 1):
            samples = {runner.name: runner.run(length, plan.tokens) for runner in (ours, *peers)}
            yield Round(length, number > 0, samples)
        try:
            for number in range(plan.runs + 1):
                yield Again(length, number > 0, ours.next_turn(length))
        finally:
            ours.forget()
