"""Estimates against sums made by hand, and against what MLX measures."""

from __future__ import annotations

import gc
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx import memory
from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.generation.decode import prefill
from qwen3_mlx.memory import Estimate, estimate, prefill_chunk
from qwen3_mlx.memory.family import family_config
from qwen3_mlx.model import Qwen3Config, make_cache
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.tune import tune
from tests.memory.conftest import make_config

CHUNKS = (32, 64, 128, 256, 512)


def test_the_cache_of_qwen3_8b_at_4096_tokens() -> None:
    # 36 layers x 8 heads x 128 numbers x 2 bytes, for keys and for values: 144 KiB a token.
    size = memory.cache_bytes(layers=36, kv_heads=8, head_dim=128, tokens=4096, item_bytes=2)
    assert size == 4096 * 144 * 1024
    found = estimate(family_config("8b"), weights=0, context=4096, item_bytes=2)
    assert found.cache == size


def test_the_cache_grows_in_steps_and_by_conversations(dense: Qwen3Config) -> None:
    # 2 layers x 2 heads x 32 numbers x 4 bytes, twice: 1 KiB a token.
    sizes = [estimate(dense, weights=0, context=n, item_bytes=4).cache for n in (1, 256, 257)]
    assert sizes == [256 * 1024, 256 * 1024, 512 * 1024]
    assert estimate(dense, weights=0, context=257, item_bytes=4, batch=3).cache == 3 * 512 * 1024


@pytest.mark.parametrize(("bits", "share"), [(8, 8 + 2), (4, 4 + 2)])
def test_a_rounded_cache(dense: Qwen3Config, bits: int, share: int) -> None:
    """In groups of 32 numbers, with a scale and a bias of 32 bits each: 2 bits a number."""

    def cache(context: int, kv_bits: int | None) -> int:
        return estimate(dense, weights=0, context=context, item_bytes=4, kv_bits=kv_bits).cache

    assert cache(2048, bits) == cache(2048, None) * share // 32
    assert cache(1024, bits) == cache(1024, None)  # it is rounded later


def test_activations_of_a_dense_layer(dense: Qwen3Config) -> None:
    """One chunk of 8 tokens, nothing before it; in bfloat16."""
    found = estimate(dense, weights=0, context=8, item_bytes=2)
    widths = 7 * 64 + 8 * 4 * 32 + 6 * 2 * 32 + 3 * 128
    scores = 8 * 8 * (4 * 2 + 1)  # for each head two bytes, and the mask
    assert found.activations == 8 * 2 * widths + scores
    fused = estimate(dense, weights=0, context=8, item_bytes=2, attends_in_one=True)
    assert fused.activations == 8 * 2 * widths


def test_a_rounded_cache_is_never_attended_to_in_one_kernel(dense: Qwen3Config) -> None:
    sizes = [
        estimate(
            dense, weights=0, context=2048, item_bytes=2, kv_bits=8, attends_in_one=fused
        ).activations
        for fused in (False, True)
    ]
    assert sizes[0] == sizes[1]


def test_activations_of_experts(sparse: Qwen3Config) -> None:
    found = estimate(sparse, weights=0, context=8, item_bytes=2, attends_in_one=True)
    widths = 4 * 64 + 4 * 4 * 32 + 4 * 2 * 32 + 2 * (4 * 64 + 3 * 32)
    assert found.activations == 8 * 2 * widths


def test_a_large_vocabulary_outweighs_a_small_layer(dense: Qwen3Config) -> None:
    config = make_config(vocab_size=10**6)
    assert estimate(config, weights=0, context=8, item_bytes=2).activations == 15 * 4 * 10**6


def test_head_room_is_a_tenth_of_what_is_not_weights() -> None:
    found = Estimate(weights=1000, cache=200, activations=300, chunk=512)
    assert (found.peak, found.head_room, found.total) == (1500, 50, 1550)


def test_experts_on_disk(sparse: Qwen3Config) -> None:
    """Of 1000 bytes, 640 are experts; 100 of them are in memory."""

    def held(expert_memory: int | None) -> int:
        return estimate(
            sparse,
            weights=1000,
            experts=640,
            expert_memory=expert_memory,
            context=8,
            item_bytes=2,
        ).weights

    assert [held(100), held(None), held(700)] == [460, 1000, 1000]


def test_the_share_of_experts_is_counted_where_it_is_not_said(sparse: Qwen3Config) -> None:
    # For each layer: 16 experts x 3 matrices of 32 x 64; attention 64 x 128 twice and 64 x 64
    # twice; the router 16 x 64. And embedding and head, 100 x 64 each.
    experts = 2 * 16 * 3 * 32 * 64
    others = 2 * (2 * 64 * 128 + 2 * 64 * 64 + 16 * 64) + 2 * 100 * 64
    found = estimate(
        sparse, weights=experts + others, expert_memory=0, context=8, item_bytes=2
    ).weights
    assert found == others


def test_weights_made_whole_for_the_cpu() -> None:
    """In float32; a tied embedding twice, and another one as it was."""
    layers = 2 * (2 * 64 * 128 + 2 * 64 * 64 + 3 * 64 * 128)
    embedding = 100 * 64
    tied = make_config(tie_word_embeddings=True)
    whole = estimate(tied, weights=9999, context=8, item_bytes=4, spare=10**9).weights
    assert whole == 4 * (layers + 2 * embedding)
    numbers = layers + 2 * embedding
    whole = estimate(make_config(), weights=numbers, context=8, item_bytes=4, spare=10**9).weights
    assert whole == 4 * (layers + embedding) + embedding
    kept = estimate(make_config(), weights=numbers, context=8, item_bytes=4, spare=1000).weights
    assert kept == numbers


@given(st.integers(1, 40000), st.integers(1, 40000), st.sampled_from(CHUNKS))
def test_more_context_never_takes_less(one: int, other: int, chunk: int) -> None:
    sizes = [
        estimate(make_config(), weights=5, context=n, chunk=chunk, item_bytes=2)
        for n in sorted((one, other))
    ]
    assert sizes[0].cache <= sizes[1].cache
    assert sizes[0].activations <= sizes[1].activations


@given(st.integers(0, 10**8), st.integers(1, 40000))
def test_the_chunk_is_the_largest_that_fits(free: int, context: int) -> None:
    config = make_config()
    chosen = prefill_chunk(config, free, context=context, item_bytes=4)
    needed = {
        chunk: found.activations + found.head_room
        for chunk in CHUNKS
        for found in [estimate(config, weights=0, context=context, chunk=chunk, item_bytes=4)]
    }
    assert chosen == max((chunk for chunk in CHUNKS if needed[chunk] <= free), default=32)


@pytest.mark.parametrize("name", ["tiny", "tiny-dense"])
def test_it_is_within_a_tenth_of_the_measured_peak(name: str) -> None:
    """From the load to the last chunk of a prompt that fills half of the context."""
    checkpoint = open_checkpoint(bundled_path(name))
    spare = 10**9
    gc.collect()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = checkpoint.load().model
    tune(model, spare=spare, compiled=False)
    prefill(model, [5] * 1024, make_cache(checkpoint.config))
    measured = mx.get_peak_memory() - before
    use: dict[str, Any] = {"item_bytes": 2} if on_gpu() else {"item_bytes": 4, "spare": spare}
    guess = estimate(
        checkpoint.config,
        weights=checkpoint.nbytes(),
        experts=checkpoint.expert_nbytes() * checkpoint.config.num_experts,
        context=1024,
        **use,
    ).peak
    assert abs(guess / measured - 1) < 0.1
