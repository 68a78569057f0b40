"""Sampling: each filter against numbers worked by hand, and what a seed promises."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.sampling import (
    Sampler,
    SamplingOptions,
    Seen,
    candidates,
    keep_min_p,
    keep_top_p,
    mask_ids,
    penalize,
    pick,
    rank,
)

HALVES = mx.log(mx.array([[0.125, 0.5, 0.125, 0.25]]))
"""Logits of four ids with easy probabilities."""


def numbers(array: mx.array) -> Any:
    return array.tolist()


def survivors(scores: mx.array) -> set[int]:
    return {i for i, score in enumerate(numbers(scores[0])) if score > -math.inf}


def draws(options: SamplingOptions, logits: mx.array = HALVES, count: int = 2000) -> Counter[int]:
    many = mx.repeat(logits, count, axis=0)
    return Counter(numbers(pick(many, options, mx.random.key(options.seed or 0))))


def run(sampler: Sampler, logits: mx.array, count: int) -> list[int]:
    ids: list[int] = []
    state = sampler.start([], logits.shape[-1])
    for _ in range(count):
        choice = sampler.choose(logits, state)
        state = sampler.record(choice.state, choice.token)
        ids.extend(numbers(choice.token))
    return ids


def test_rank_orders_the_largest_first() -> None:
    scores, ids = rank(HALVES, 2)
    assert ids.tolist() == [[1, 3]]
    assert numbers(mx.exp(scores)[0]) == pytest.approx([0.5, 0.25])


@pytest.mark.parametrize("top_k", [0, 4, 9])
def test_rank_takes_all_when_k_is_off_or_too_large(top_k: int) -> None:
    _, ids = rank(HALVES, top_k)
    assert ids[0, :2].tolist() == [1, 3]
    assert sorted(numbers(ids[0])) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [(0.01, 1), (0.49, 1), (0.51, 2), (0.74, 2), (0.76, 3), (1.0, 4)],
)
def test_top_p_keeps_the_fewest_that_reach_it(top_p: float, kept: int) -> None:
    ranked, _ = rank(HALVES, 0)
    assert survivors(keep_top_p(ranked, top_p)) == set(range(kept))


@pytest.mark.parametrize(
    ("min_p", "kept"), [(0.0, {0, 1, 2, 3}), (0.2, {0, 1, 2, 3}), (0.3, {1, 3}), (1.0, {1})]
)
def test_min_p_is_relative_to_the_most_probable(min_p: float, kept: set[int]) -> None:
    assert survivors(keep_min_p(HALVES, min_p)) == kept


def test_top_p_sees_only_what_top_k_left() -> None:
    # After top-k 2 the probabilities are 2/3 and 1/3: 0.6 is reached by the first alone.
    scores, ids = candidates(HALVES, SamplingOptions(temperature=1, top_k=2, top_p=0.6))
    assert ids is not None
    assert ids.tolist() == [[1, 3]]
    assert survivors(scores) == {0}


def test_temperature_comes_before_top_p() -> None:
    # At temperature 1/2 the probabilities are squared: 4/5.5 of the mass lies on id 1.
    options = SamplingOptions(temperature=0.5, top_p=0.7)
    assert set(draws(options)) == {1}


def test_draws_follow_the_probabilities() -> None:
    counts = draws(SamplingOptions(temperature=1.0, seed=3), count=8000)
    shares = [counts[i] / 8000 for i in range(4)]
    assert shares == pytest.approx([0.125, 0.5, 0.125, 0.25], abs=0.02)


def test_draws_through_the_filters_keep_their_ids() -> None:
    counts = draws(SamplingOptions(temperature=1.0, top_k=2, seed=5), count=8000)
    assert set(counts) == {1, 3}
    assert counts[1] / 8000 == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("temperature", [0.0, 1e-6, 1e-320])
def test_no_temperature_is_greedy(temperature: float) -> None:
    assert set(draws(SamplingOptions(temperature=temperature), count=10)) == {1}


def test_a_very_low_temperature_does_not_overflow() -> None:
    assert set(draws(SamplingOptions(temperature=1e-5), HALVES * 1e30)) == {1}


def test_presence_penalty_is_for_the_reply_alone() -> None:
    seen = Seen(mx.array([True, False, False]), mx.array([False, True, False]))
    options = SamplingOptions(presence_penalty=1.5)
    assert penalize(mx.array([[1.0, 1.0, 1.0]]), options, seen).tolist() == [[1.0, -0.5, 1.0]]


def test_repetition_penalty_lowers_both_signs_and_counts_the_prompt() -> None:
    seen = Seen(mx.array([True, False, False]), mx.array([False, True, False]))
    options = SamplingOptions(repetition_penalty=2.0)
    assert penalize(mx.array([[4.0, -4.0, 4.0]]), options, seen).tolist() == [[2.0, -8.0, 4.0]]


def test_presence_penalty_makes_greedy_go_round() -> None:
    sampler = Sampler(SamplingOptions(presence_penalty=2.0), 4)
    assert run(sampler, HALVES, 4) == [1, 3, 0, 2]


def test_repetition_penalty_sees_the_prompt() -> None:
    sampler = Sampler(SamplingOptions(repetition_penalty=4.0), 4)
    state = sampler.start([1], 4)
    assert sampler.choose(HALVES + 3, state).token.tolist() == [3]


def test_masked_ids_are_never_candidates() -> None:
    assert survivors(mask_ids(HALVES, 3, [1])) == {0, 2}


def test_padding_of_the_vocabulary_is_never_sampled() -> None:
    logits = mx.array([[0.0, 1.0, 9.0, 9.0]])
    for temperature in (0.0, 1.0):
        sampler = Sampler(SamplingOptions(temperature=temperature, top_k=3, seed=1), 2)
        assert set(run(sampler, logits, 40)) <= {0, 1}


def test_an_id_may_be_kept_for_the_first_token() -> None:
    assert run(Sampler(SamplingOptions(), 4, only_first=1), HALVES, 3) == [1, 3, 3]
    assert run(Sampler(SamplingOptions(), 4, forbidden=[1]), HALVES, 2) == [3, 3]


def test_a_dropped_token_does_not_count_as_seen() -> None:
    sampler = Sampler(SamplingOptions(presence_penalty=2.0), 4)
    choice = sampler.choose(HALVES, sampler.start([], 4))
    assert sampler.choose(HALVES, choice.state).token.tolist() == [1]
    assert sampler.choose(HALVES, sampler.record(choice.state, mx.array([1]))).token.tolist() == [3]


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 2**64 - 1))
def test_the_same_seed_gives_the_same_tokens(seed: int) -> None:
    options = SamplingOptions(temperature=1.0, top_k=3, seed=seed)
    assert run(Sampler(options, 4), HALVES, 12) == run(Sampler(options, 4), HALVES, 12)


def test_other_seeds_and_no_seed_differ() -> None:
    texts = {tuple(run(Sampler(SamplingOptions(1.0, seed=s), 4), HALVES, 30)) for s in range(9)}
    assert len(texts) == 9
    free = {tuple(run(Sampler(SamplingOptions(1.0), 4), HALVES, 30)) for _ in range(5)}
    assert len(free) == 5


def test_the_global_random_state_is_untouched() -> None:
    mx.random.seed(7)
    expected = mx.random.uniform(shape=(3,)).tolist()
    mx.random.seed(7)
    run(Sampler(SamplingOptions(1.0, top_p=0.9, seed=1), 4), HALVES, 5)
    run(Sampler(SamplingOptions(1.0), 4), HALVES, 5)
    assert mx.random.uniform(shape=(3,)).tolist() == expected


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_noticed(bad: float) -> None:
    sampler = Sampler(SamplingOptions(), 2)
    state = sampler.start([], 3)
    assert sampler.choose(mx.array([[0.0, 1.0, 2.0]]), state).finite.item()
    assert not sampler.choose(mx.array([[0.0, 1.0, bad]]), state).finite.item()


def test_half_precision_logits_are_handled_in_float32() -> None:
    sampler = Sampler(SamplingOptions(1.0, top_k=2, seed=1), 4)
    assert set(run(sampler, HALVES.astype(mx.bfloat16), 50)) == {1, 3}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", math.inf),
        ("temperature", 10**400),
        ("temperature", 1000.1),
        ("repetition_penalty", 1e-7),
        ("repetition_penalty", 10**400),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("min_p", -0.5),
        ("min_p", 1.5),
        ("presence_penalty", 3.0),
        ("repetition_penalty", 0.0),
        ("seed", -1),
        ("seed", 2**64),
    ],
)
def test_values_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(UsageError, match=field) as refusal:
        SamplingOptions(**{field: value})  # type: ignore[arg-type]
    assert refusal.value.hint


@pytest.mark.parametrize(
    "options",
    [
        SamplingOptions(1000.0, seed=1),
        SamplingOptions(1.0, repetition_penalty=1e6, presence_penalty=2.0, seed=1),
        SamplingOptions(1.0, repetition_penalty=1e-6, presence_penalty=-2.0, seed=1),
    ],
)
def test_extreme_values_choose_no_padding(options: SamplingOptions) -> None:
    """Infinity over infinity, or minus itself, would be no number, and any id could come of it."""
    logits = mx.array([[3.0e4, -3.0e4, 0.0, 5.0]])
    assert set(run(Sampler(options, 3), logits, 50)) <= {0, 1, 2}
