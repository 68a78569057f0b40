"""The next tokens of several sequences, each by its own rule and random numbers.

Knows samplers and their states. Does not know what a token means, nor the model.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import mlx.core as mx

from qwen3_mlx.generation.decode import check_finite
from qwen3_mlx.generation.sampling import Choice, Rule, Sampler, SamplerState


class Chooser:
    """One sequence's sampler together with its state.

    Attributes:
        state: Goes on with each token chosen and recorded.
    """

    def __init__(self, sampler: Sampler, state: SamplerState) -> None:
        self.state = state
        self._sampler = sampler

    @property
    def shared_rule(self) -> Rule | None:
        """The rule, if nothing but the logits matters to it."""
        options = self._sampler.options
        if options.penalized or not options.greedy:
            return None
        return self._sampler.rule(self.state)

    def choose(self, logits: mx.array) -> Choice:
        """One token for each row of logits [n, V], all chosen as this sequence's is."""
        choice = self._sampler.choose(logits, self.state)
        self.state = choice.state
        return choice

    def record(self, ids: Sequence[int]) -> None:
        """Note that `ids` became part of the reply."""
        self.state = self._sampler.record(self.state, mx.array(list(ids)))


def choose(logits: mx.array, choosers: Sequence[Chooser]) -> list[int]:
    """The next token of each sequence, from logits [B, V], its row of them.

    Sequences with one rule that needs nothing else share one choice; the others' are made alone,
    with the random numbers that each would have had alone.

    Raises:
        NonFiniteError: the logits hold NaN or infinity.
    """
    groups: dict[object, list[int]] = {}
    for row, chooser in enumerate(choosers):
        groups.setdefault(chooser.shared_rule or row, []).append(row)
    choices = {
        tuple(rows): choosers[rows[0]].choose(_rows(logits, rows, len(choosers)))
        for rows in groups.values()
    }
    mx.eval([(choice.token, choice.finite) for choice in choices.values()])
    chosen: dict[int, int] = {}
    for rows, choice in choices.items():
        check_finite(choice)
        chosen |= zip(rows, cast(list[int], choice.token.tolist()), strict=True)
    return [chosen[row] for row in range(len(choosers))]


def _rows(logits: mx.array, rows: Sequence[int], count: int) -> mx.array:
    return logits if len(rows) == count else logits[mx.array(list(rows))]
