"""The sparse MLP, against answers worked out on paper."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.moe import SORT_FROM, SparseMLP, SwitchMLP, route

if TYPE_CHECKING:
    from tests.model.conftest import Data

LN2, LN3 = math.log(2), math.log(3)


def by_hand(moe: Data, renormalise: bool) -> SparseMLP:
    """Three experts of width one over two dimensions, of which two are chosen.

    The router's logits are, for the token (1, 0): 0, ln 2, ln 4, so its softmax is 1/7, 2/7, 4/7;
    for (0, 1): ln 4, 0, ln 2, so 4/7, 1/7, 2/7.
    Gate and up see x1 + x2 = 1 and make silu(ln 3) * up = (3/4 ln 3) * 4 / (3 ln 3) = 1, so
    that each expert's output is its down vector: (7, 7), (3, 0), (0, 6).
    """
    config = Qwen3Config.from_hf(
        {**moe, "hidden_size": 2, "num_experts": 3, "num_experts_per_tok": 2}
        | {"moe_intermediate_size": 1, "norm_topk_prob": renormalise}
    )
    mlp = SparseMLP(config)
    mlp.gate.weight = mx.array([[0, 2 * LN2], [LN2, 0], [2 * LN2, LN2]])
    mlp.switch_mlp.gate_proj.weight = mx.full((3, 1, 2), LN3)
    mlp.switch_mlp.up_proj.weight = mx.full((3, 1, 2), 4 / (3 * LN3))
    mlp.switch_mlp.down_proj.weight = mx.array([[[7.0], [7]], [[3], [0]], [[0], [6]]])
    return mlp


TOKENS = mx.array([[[1.0, 0.0], [0.0, 1.0]]])
# (1, 0): 1/3 (3, 0) + 2/3 (0, 6); (0, 1): 2/3 (7, 7) + 1/3 (0, 6).
RENORMALISED = mx.array([[[1.0, 4.0], [14 / 3, 20 / 3]]])
# The same with 2/7 and 4/7 in place of 1/3 and 2/3.
NOT_RENORMALISED = RENORMALISED * 6 / 7


@pytest.mark.parametrize("repeats", [1, 50])
def test_hand_set_weights_give_the_answer_worked_out_on_paper(moe: Data, repeats: int) -> None:
    """Once for a few tokens, and once for so many that they are sorted by expert."""
    tokens, expected = mx.tile(TOKENS, (1, repeats, 1)), mx.tile(RENORMALISED, (1, repeats, 1))
    assert mx.allclose(by_hand(moe, renormalise=True)(tokens), expected, atol=1e-5)


def test_without_renormalising_the_weights_are_the_softmax_itself(moe: Data) -> None:
    assert mx.allclose(by_hand(moe, renormalise=False)(TOKENS), NOT_RENORMALISED, atol=1e-5)


def test_routing_on_paper() -> None:
    logits = mx.log(mx.array([[1.0, 2.0, 4.0, 8.0]]))
    for renormalise, expected in ((True, [1 / 3, 2 / 3]), (False, [4 / 15, 8 / 15])):
        experts, weights = route(logits, 2, renormalise)
        order = mx.argsort(experts, axis=-1)
        assert mx.take_along_axis(experts, order, axis=-1).tolist() == [[2, 3]]
        ordered = mx.take_along_axis(weights, order, axis=-1)
        assert mx.allclose(ordered, mx.array([expected]), atol=1e-6)


def test_routing_weights_are_float32_whatever_the_router_computes_in() -> None:
    _, weights = route(mx.array([[0.0, 1.0]], dtype=mx.bfloat16), 1, renormalise=False)
    assert weights.dtype == mx.float32
    assert weights.item() == pytest.approx(math.e / (1 + math.e), rel=1e-6)


def test_very_large_logits_do_not_overflow() -> None:
    for renormalise in (True, False):
        _, weights = route(mx.array([[1e4, -1e4, 1e4]]), 2, renormalise)
        assert mx.allclose(weights, mx.array([[0.5, 0.5]]))


def test_sorting_by_expert_changes_nothing() -> None:
    mlp = SwitchMLP(hidden=16, intermediate=8, experts=12)
    x = mx.random.normal((2, 40, 16), key=mx.random.key(1))
    experts = mx.random.randint(0, 12, (2, 40, 3), key=mx.random.key(2))
    assert experts.size >= SORT_FROM
    one_by_one = [mlp(x[:, n : n + 1], experts[:, n : n + 1]) for n in range(40)]
    assert mx.allclose(mlp(x, experts), mx.concatenate(one_by_one, axis=1), atol=1e-5)


def test_each_expert_is_an_mlp_of_its_own() -> None:
    mlp = SwitchMLP(hidden=16, intermediate=8, experts=5)
    x = mx.random.normal((1, 1, 16), key=mx.random.key(3))
    for expert in range(5):
        gate, up, down = (
            part.weight[expert] for part in (mlp.gate_proj, mlp.up_proj, mlp.down_proj)
        )
        gated = x @ gate.T
        expected = (gated * mx.sigmoid(gated) * (x @ up.T)) @ down.T
        assert mx.allclose(mlp(x, mx.array([[[expert]]]))[:, :, 0], expected, atol=1e-6)
