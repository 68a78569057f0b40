"""Caches that round, and caches that slide, against attention worked out the long way."""

from __future__ import annotations

import mlx.core as mx
import pytest

from qwen3_mlx.model import KVCache, Qwen3Config
from qwen3_mlx.model.quantized_cache import QuantizedKVCache
from qwen3_mlx.model.sliding_cache import SINKS, SlidingKVCache
from tests.model.conftest import Data, Distance, MakeModel

HEADS, KV_HEADS, DIMS = 4, 2, 32
SCALE = DIMS**-0.5
CHUNKS = [40, 1, 1, 30, 1, 200, 1, 1, 300, 1]


def rows(count: int, heads: int, seed: int) -> mx.array:
    return mx.random.normal((1, heads, count, DIMS), key=mx.random.key(seed))


def attended(queries: mx.array, keys: mx.array, values: mx.array, seen: mx.array) -> mx.array:
    """Head by head, as a sum over the tokens that are seen."""
    heads = []
    for head in range(HEADS):
        own = head // (HEADS // KV_HEADS)
        scores = queries[0, head] @ keys[0, own].T * SCALE
        weights = mx.softmax(mx.where(seen, scores, -mx.inf), axis=-1)
        heads.append(weights @ values[0, own])
    return mx.stack(heads)[None]


def causal(queries: int, total: int) -> mx.array:
    tokens = mx.arange(total)
    return tokens <= tokens[-queries:, None]


@pytest.mark.parametrize(("bits", "error"), [(8, 0.02), (4, 0.35)])
def test_rounded_it_attends_to_what_dequantized_numbers_say(
    bits: int, error: float, distance: Distance
) -> None:
    cache, plain = QuantizedKVCache(bits, DIMS, threshold=60), KVCache()
    for number, count in enumerate(CHUNKS):
        queries, keys, values = (
            rows(count, HEADS, 3 * number),
            rows(count, KV_HEADS, 3 * number + 1),
            rows(count, KV_HEADS, 3 * number + 2),
        )
        mixed = cache.attend(queries, keys, values, SCALE)
        whole = plain.attend(queries, keys, values, SCALE)
        seen = causal(count, cache.offset)
        expected = attended(queries, cache.keys, cache.values, seen)
        assert distance(mixed, expected) < 1e-4
        assert distance(mixed, whole) < (error if cache.rounded else 1e-5)
        assert cache.rounded == (cache.offset > 60)


def test_rounded_it_takes_a_fraction_of_the_memory() -> None:
    """32 numbers of 4 bytes become 32 of a byte or half of one, and a scale and a bias."""
    keys = rows(256, KV_HEADS, 1)
    whole = KVCache()
    whole.attend(rows(256, HEADS, 0), keys, keys, SCALE)
    for bits, packed in ((8, 32 + 8), (4, 16 + 8)):
        cache = QuantizedKVCache(bits, DIMS, threshold=0)
        cache.attend(rows(256, HEADS, 0), keys, keys, SCALE)
        assert cache.nbytes * 4 * 32 == whole.nbytes * packed


def test_rounded_it_goes_back_and_on(distance: Distance) -> None:
    cache, again = (QuantizedKVCache(8, DIMS, threshold=0) for _ in range(2))
    keys, other = rows(50, KV_HEADS, 1), rows(50, KV_HEADS, 2)
    queries = rows(1, HEADS, 3)
    cache.attend(rows(50, HEADS, 0), keys, keys, SCALE)
    cache.rewind(20)
    mixed = cache.attend(queries, other[:, :, :1], other[:, :, :1], SCALE)
    again.attend(rows(20, HEADS, 0), keys[:, :, :20], keys[:, :, :20], SCALE)
    assert distance(mixed, again.attend(queries, other[:, :, :1], other[:, :, :1], SCALE)) < 1e-6


@pytest.mark.parametrize("size", [5, 16, 100, 400])
def test_sliding_a_token_sees_the_first_four_and_the_last_ones(
    size: int, distance: Distance
) -> None:
    cache = SlidingKVCache(size)
    keys, values = rows(sum(CHUNKS), KV_HEADS, 1), rows(sum(CHUNKS), KV_HEADS, 2)
    queries, done = rows(sum(CHUNKS), HEADS, 3), 0
    for count in CHUNKS:
        start, done = done, done + count
        mixed = cache.attend(
            queries[:, :, start:done], keys[:, :, start:done], values[:, :, start:done], SCALE
        )
        tokens = mx.arange(done)
        own = tokens[start:, None]
        seen = (tokens <= own) & ((tokens < SINKS) | (tokens > own - (size - SINKS)))
        expected = attended(queries[:, :, start:done], keys[:, :, :done], values[:, :, :done], seen)
        assert distance(mixed, expected) < 1e-4
    assert cache.offset == sum(CHUNKS)


def test_sliding_it_stays_small() -> None:
    cache = SlidingKVCache(100)
    for _ in range(3000):
        one = rows(1, KV_HEADS, 1)
        cache.attend(rows(1, HEADS, 0), one, one, SCALE)
        assert cache.held <= 100 + 256
    assert cache.offset == 3000
    assert cache.keys.shape[2] == cache.held


def test_sliding_it_goes_back_only_to_what_is_there() -> None:
    cache = SlidingKVCache(100)
    many = rows(700, KV_HEADS, 1)
    cache.attend(rows(700, HEADS, 0), many, many, SCALE)
    cache.rewind(600)  # nothing has gone so far
    cache.attend(rows(1, HEADS, 0), many[:, :, :1], many[:, :, :1], SCALE)
    assert (cache.offset, cache.held) == (601, 101)
    assert cache.can_rewind(504)
    assert not cache.can_rewind(503)
    with pytest.raises(ValueError, match="cannot rewind a cache of 601 tokens to 503"):
        cache.rewind(503)


@pytest.mark.parametrize("kind", ["rounded", "sliding"])
def test_a_network_with_it_decodes(
    kind: str, dense: Data, make_model: MakeModel, distance: Distance
) -> None:
    """Where nothing is rounded yet, or nothing has slid out, the numbers are the plain ones."""
    model = make_model(Qwen3Config.from_hf(dense))
    ids = mx.arange(60)[None]
    expected = model(ids)
    model.layer_cache = (
        (lambda: QuantizedKVCache(8, DIMS)) if kind == "rounded" else (lambda: SlidingKVCache(64))
    )
    cache = model.make_cache()
    mx.eval(model.advance(ids[:, :50], cache))
    for position in range(50, 60):
        logits = model.next_logits(ids[:, position], cache)
        assert distance(logits, expected[:, position]) < 1e-4
