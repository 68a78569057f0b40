"""Reading prompts together: the same numbers as alone, and only where it pays."""

from __future__ import annotations

import mlx.core as mx
import pytest

from qwen3_mlx.generation import batch_prefill
from qwen3_mlx.generation.batch_prefill import alike, prefill_together
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.qwen3 import Qwen3

PROMPTS = [[3, 1, 4, 1, 5, 9, 2, 6], [2, 7], [1, 6, 1, 8, 0]]


@pytest.fixture(scope="module")
def model() -> Qwen3:
    mx.random.seed(5)
    config = Qwen3Config(
        model_type="qwen3",
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        intermediate_size=32,
        rms_norm_eps=1e-6,
        rope_theta=1e4,
        max_position_embeddings=512,
    )
    network = Qwen3(config)
    mx.eval(network)
    return network


@pytest.mark.parametrize("chunk", [1, 5, 6, 24, 512])
def test_the_logits_are_those_of_each_prompt_alone(model: Qwen3, chunk: int) -> None:
    logits, cache = prefill_together(model, PROMPTS, chunk=chunk)
    expected = mx.concatenate([model.last_logits(mx.array([ids])) for ids in PROMPTS])
    assert mx.allclose(logits, expected, rtol=1e-4, atol=1e-5)
    assert [cache.length(row) for row in range(3)] == [8, 2, 5]


def test_a_chunk_counts_the_ids_of_all_prompts(
    model: Qwen3, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes: list[tuple[int, ...]] = []
    really_read = type(model.model).__call__

    def watched(self: object, ids: mx.array, *rest: object, **named: object) -> mx.array:
        shapes.append(ids.shape)
        return really_read(self, ids, *rest, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(type(model.model), "__call__", watched)
    prefill_together(model, PROMPTS, chunk=10)
    assert shapes == [(3, 3), (3, 3), (3, 2)]


@pytest.mark.parametrize(
    ("on_gpu", "groups"),
    [(False, [[2], [0, 3], [4, 1]]), (True, [[2], [0, 3, 4], [1]])],
)
def test_prompts_are_read_together_where_padding_is_cheaper_than_a_pass(
    monkeypatch: pytest.MonkeyPatch, on_gpu: bool, groups: list[list[int]]
) -> None:
    """A pass is worth 4 tokens of padding on the CPU, 16 on a GPU."""
    monkeypatch.setattr(batch_prefill, "on_gpu", lambda: on_gpu)
    assert alike([30, 10, 90, 26, 14]) == groups
