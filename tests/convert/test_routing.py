"""Figures of a router's work, worked out on paper."""

from __future__ import annotations

import math

import pytest

from qwen3_mlx.convert.routing import LayerRouting, Pair


def layer_of(
    together: list[list[int]], tokens: int, contributions: tuple[float, ...] = ()
) -> LayerRouting:
    return LayerRouting(3, tokens, tuple(map(tuple, together)), contributions)


# 20 tokens, two experts each: twenty times 0, ten times each 1 and 2, never 3; never 1 with 2.
ROUTED = layer_of(
    [[20, 10, 10, 0], [10, 10, 0, 0], [10, 0, 10, 0], [0, 0, 0, 0]], 20, (10.0, 40.0, 5.0, 0.0)
)


def test_the_balance_of_a_layer() -> None:
    """Shares 1/2, 1/4, 1/4 and 0: an entropy of 3/2 bits out of 2."""
    assert list(ROUTED.load) == [20, 10, 10, 0]
    assert list(ROUTED.relative_load) == [2, 1, 1, 0]
    assert ROUTED.max_over_mean == 2
    assert ROUTED.unused == 1
    assert ROUTED.normalized_entropy == pytest.approx(0.75)


def test_reap_s_score_is_the_mean_over_an_expert_s_own_tokens() -> None:
    assert list(ROUTED.saliency) == [0.5, 4.0, 0.5, 0.0]


def test_one_expert_is_as_even_as_it_can_be() -> None:
    assert layer_of([[7]], 7).normalized_entropy == 1


def test_one_expert_for_all_tokens_is_no_balance() -> None:
    assert layer_of([[7, 0], [0, 0]], 7).normalized_entropy == 0


def test_pairs_that_are_chosen_together_by_chance_are_no_pairs() -> None:
    """Expert 0 gets every token, so that 1 and 2 share all of theirs with it: a lift of 1."""
    assert ROUTED.pairs() == []


def test_lift_is_relative_to_independence() -> None:
    """Of 200 tokens expert 0 gets 100, and 1 gets 50: by chance 25 together, and here 50."""
    found = layer_of([[100, 50, 20], [50, 50, 0], [20, 0, 80]], 200).pairs()
    assert found == [Pair(3, (0, 1), 50, 2.0)]


@pytest.mark.parametrize(
    ("tokens", "shared", "count"), [(100, 4, 0), (100, 5, 1), (1000, 9, 0), (1000, 10, 1)]
)
def test_pairs_of_few_tokens_are_left_out(tokens: int, shared: int, count: int) -> None:
    """Fewer than 5, or than one in a hundred."""
    found = layer_of([[shared, shared], [shared, shared]], tokens).pairs()
    assert len(found) == count
    assert all(math.isclose(pair.lift, tokens / shared) for pair in found)


def test_the_strongest_pair_comes_first() -> None:
    together = [[40, 20, 0, 0], [20, 40, 0, 0], [0, 0, 30, 30], [0, 0, 30, 30]]
    found = layer_of(together, 100).pairs()
    assert [pair.experts for pair in found] == [(2, 3), (0, 1)]
    assert [pair.lift for pair in found] == pytest.approx([30 * 100 / 900, 20 * 100 / 1600])
