"""What is measured: lengths that fit, and numbers that make sense."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import UsageError
from qwen3_mlx.measure import make_plan, prompt_ids
from qwen3_mlx.measure.plan import NEXT_TURN


def test_lengths_that_fit_are_sorted_and_stay() -> None:
    plan = make_plan(4096, [512, 128, 512], 64, 5)
    assert (plan.lengths, plan.too_long) == ((128, 512), ())
    assert plan.steps == 2 * 2 * 6  # runs and turns, two lengths, five that count and one before


def test_longer_ones_are_cut_down_once() -> None:
    """Room is kept for the reply, and for a second question where that is longer."""
    assert make_plan(2048, [128, 2048, 4096], 64, 1).lengths == (128, 1984)
    assert make_plan(2048, [128, 2048, 4096], 64, 1).too_long == (2048, 4096)
    assert make_plan(2048, [2048], 100, 1).lengths == (1948,)
    assert make_plan(2048, [2048], 2, 1).lengths == (2048 - NEXT_TURN,)


@given(
    st.integers(100, 10_000),
    st.lists(st.integers(1, 20_000), min_size=1),
    st.integers(2, 99),
)
def test_every_prompt_and_its_reply_fit(context: int, lengths: list[int], tokens: int) -> None:
    plan = make_plan(context, lengths, tokens, 1)
    assert min(plan.lengths) >= 1
    assert max(plan.lengths) + max(tokens, NEXT_TURN) <= context
    assert len({*plan.lengths}) == len(plan.lengths) > 0
    assert {n for n in lengths if n not in plan.lengths} == {*plan.too_long}


@pytest.mark.parametrize(
    ("lengths", "tokens", "runs", "said"),
    [
        ([], 64, 5, "a prompt has at least 1 token"),
        ([0], 64, 5, "a prompt has at least 1 token"),
        ([-1, 128], 64, 5, "a prompt has at least 1 token"),
        ([128], 1, 5, "it takes 2 tokens and 1 run"),
        ([128], 64, 0, "it takes 2 tokens and 1 run"),
        ([128], 2048, 5, "2048 tokens leave no room for a prompt in a context of 2048"),
    ],
)
def test_what_makes_no_sense(lengths: list[int], tokens: int, runs: int, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_plan(2048, lengths, tokens, runs)


class Words:
    """A token for each word."""

    def encode(self, text: str) -> list[int]:
        """The lengths of the words."""
        return [len(word) for word in text.split()]


@pytest.mark.parametrize("length", [1, 4, 5, 1000])
def test_a_prompt_has_the_length_asked_for(length: int) -> None:
    """Lines like `Shelf 1 holds 7 books.`: five words each."""
    ids = prompt_ids(Words(), length)
    assert len(ids) == length
    assert ids == prompt_ids(Words(), 2000)[:length]
    assert ids[:5] == [5, 1, 5, 1, 6][:length]
