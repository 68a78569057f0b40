"""Choosing for several sequences at once: each gets what it would get alone."""

from __future__ import annotations

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.errors import NonFiniteError
from qwen3_mlx.generation.batch_sampling import Chooser, choose
from qwen3_mlx.generation.decode import read
from qwen3_mlx.generation.sampling import Choice, Sampler, SamplingOptions

V = 12
OPTIONS = [
    SamplingOptions(),
    SamplingOptions(seed=3),
    SamplingOptions(repetition_penalty=5.0),
    SamplingOptions(temperature=1.0, seed=1),
    SamplingOptions(temperature=1.0, seed=2),
    SamplingOptions(temperature=1.5, top_k=5, top_p=0.9, presence_penalty=2.0, seed=1),
]


def sampler(options: SamplingOptions) -> Sampler:
    return Sampler(options, V - 2, only_first=0)


def logits(rows: int, seed: int) -> mx.array:
    return mx.random.normal((rows, V), key=mx.random.key(seed)) * 2


@settings(max_examples=30, deadline=None)
@given(chosen=st.lists(st.sampled_from(OPTIONS), min_size=1, max_size=5))
def test_each_gets_what_it_would_get_alone(chosen: list[SamplingOptions]) -> None:
    samplers = [sampler(options) for options in chosen]
    states = [one.start([row, row + 1], V) for row, one in enumerate(samplers)]
    choosers = [Chooser(one, state) for one, state in zip(samplers, states, strict=True)]
    for number in range(4):
        scores = logits(len(chosen), number)
        tokens = choose(scores, choosers)
        for row, (one, token) in enumerate(zip(samplers, tokens, strict=True)):
            choice = one.choose(scores[row : row + 1], states[row])
            assert token == read(choice)
            states[row] = one.record(choice.state, choice.token)
            choosers[row].record([token])


def test_those_with_one_rule_share_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    really_choose = Sampler.choose

    def watched(self: Sampler, scores: mx.array, *rest: object) -> Choice:
        shapes.append(scores.shape)
        return really_choose(self, scores, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Sampler, "choose", watched)
    samplers = [sampler(OPTIONS[i]) for i in (0, 3, 1, 0)]
    choosers = [Chooser(one, one.start([1], V)) for one in samplers]
    choosers[3].record([4])
    choose(logits(4, 0), choosers)
    # Rows 0 and 2 are greedy at their first token; row 3 is past it, and may not take id 0.
    assert shapes == [(2, V), (1, V), (1, V)]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_are_an_error(bad: float) -> None:
    scores = mx.array([[0.0] * V, [0.0] * (V - 1) + [bad]])
    greedy = [Chooser(one, one.start([1], V)) for one in map(sampler, OPTIONS[:2])]
    with pytest.raises(NonFiniteError):
        choose(scores, greedy)
