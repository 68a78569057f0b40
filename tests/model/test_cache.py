"""A cache changes nothing but the time it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.model import KVCache, Qwen3, Qwen3Config, make_cache
from qwen3_mlx.model.cache import rewind

if TYPE_CHECKING:
    from tests.model.conftest import Distance, MakeModel

VOCAB = 64
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=["dense", "moe", "moe-yarn"])
def model(request: pytest.FixtureRequest, make_model: MakeModel) -> Qwen3:
    kind, _, yarn = request.param.partition("-")
    config = Qwen3Config.from_hf(request.getfixturevalue(kind))
    return make_model(config.with_context(4096) if yarn else config)


def random_ids(batch: int, length: int, seed: int = 0) -> mx.array:
    return mx.random.randint(0, VOCAB, (batch, length), key=mx.random.key(seed))


@settings(deadline=None, max_examples=25)
@given(
    chunks=st.lists(st.integers(1, 20), min_size=1, max_size=6),
    batch=st.integers(1, 3),
    seed=st.integers(0, 1000),
)
def test_uneven_chunks_give_the_same_logits(
    model: Qwen3, distance: Distance, chunks: list[int], batch: int, seed: int
) -> None:
    ids = random_ids(batch, sum(chunks), seed)
    cache, parts, start = make_cache(model.config), [], 0
    for chunk in chunks:
        parts.append(model(ids[:, start : start + chunk], cache))
        start += chunk
    assert distance(mx.concatenate(parts, axis=1), model(ids)) < TOLERANCE


@settings(deadline=None, max_examples=25)
@given(steps=st.lists(st.tuples(st.integers(1, 12), st.floats(0, 1)), min_size=1, max_size=6))
def test_going_back_and_on_gives_the_same_logits(
    model: Qwen3, distance: Distance, steps: list[tuple[int, float]]
) -> None:
    """Read a chunk, go back to anywhere, read on: as if only what is left had been read."""
    cache, kept = make_cache(model.config), mx.zeros((1, 0), mx.int32)
    for seed, (chunk, share) in enumerate(steps):
        new = random_ids(1, chunk, seed)
        mx.eval(model.advance(new, cache))
        kept = mx.concatenate([kept, new], axis=1)[:, : int(share * (kept.shape[1] + chunk))]
        rewind(cache, kept.shape[1])
    last = mx.array([[7]])
    expected = model(mx.concatenate([kept, last], axis=1))[:, -1]
    assert distance(model.last_logits(last, cache), expected) < TOLERANCE


def test_growing_past_several_steps(model: Qwen3, distance: Distance) -> None:
    ids = random_ids(1, 700)
    cache = make_cache(model.config)
    for start, stop in ((0, 255), (255, 256), (256, 257), (257, 600), (600, 699)):
        mx.eval(model.advance(ids[:, start:stop], cache))
    assert distance(model.last_logits(ids[:, 699:], cache), model.last_logits(ids)) < TOLERANCE


def test_last_logits_are_the_last_of_all_logits(model: Qwen3, distance: Distance) -> None:
    ids = random_ids(2, 9)
    assert distance(model.last_logits(ids), model(ids)[:, -1]) < TOLERANCE


def test_advance_leaves_the_cache_as_a_full_step_does(model: Qwen3) -> None:
    ids = random_ids(2, 9)
    advanced, stepped = make_cache(model.config), make_cache(model.config)
    mx.eval(model.advance(ids, advanced), model(ids, stepped))
    for one, other in zip(advanced, stepped, strict=True):
        assert one.offset == other.offset == 9
        assert mx.array_equal(one.keys, other.keys)
        assert mx.array_equal(one.values, other.values)


def filled(count: int) -> tuple[KVCache, mx.array]:
    numbers = mx.arange(count, dtype=mx.float32)
    keys = mx.broadcast_to(numbers[None, None, :, None], (1, 2, count, 4))
    cache = KVCache()
    cache.update(keys, -keys)
    return cache, numbers


def test_a_cache_returns_all_that_it_holds() -> None:
    cache, numbers = filled(5)
    more = mx.full((1, 2, 3, 4), 9.0)
    keys, values = cache.update(more, -more)
    assert keys[0, 1, :, 3].tolist() == [*numbers.tolist(), 9.0, 9.0, 9.0]  # type: ignore[misc]
    assert mx.array_equal(values, -keys)


@pytest.mark.parametrize(("count", "room"), [(1, 256), (256, 256), (257, 512), (1000, 1024)])
def test_buffers_grow_in_steps_of_256_tokens(count: int, room: int) -> None:
    cache, _ = filled(count)
    assert cache.offset == count
    assert cache.nbytes == 2 * room * 2 * 4 * 4


def test_growing_after_going_back_keeps_what_is_held() -> None:
    cache, numbers = filled(200)
    cache.rewind(100)
    more = mx.full((1, 2, 300, 4), 5.0)
    keys, _ = cache.update(more, more)
    expected = mx.concatenate([numbers[:100], mx.full((300,), 5.0)])
    assert mx.array_equal(keys[0, 0, :, 0], expected)


def test_going_back_forgets_the_last_tokens() -> None:
    cache, numbers = filled(10)
    cache.rewind(7)
    assert cache.offset == 7
    assert mx.array_equal(cache.keys[0, 0, :, 0], numbers[:7])


@pytest.mark.parametrize("length", [-1, 11])
def test_a_cache_cannot_go_where_it_has_not_been(length: int) -> None:
    cache, _ = filled(10)
    with pytest.raises(ValueError, match=f"to {length}"):
        cache.rewind(length)
    assert cache.offset == 10


def test_what_a_cache_held_can_be_appended_to_another() -> None:
    """Its tokens 2 to 4 behind five others; the room behind its own does not come along."""
    (source, _), (target, numbers) = filled(5), filled(5)
    state = source.state
    assert {name: part.shape for name, part in state.items()} == {
        "keys": (1, 2, 256, 4),
        "values": (1, 2, 256, 4),
    }
    target.take_over({name: part[..., 2:5, :] for name, part in state.items()})
    expected = mx.concatenate([numbers, numbers[2:5]])
    assert target.offset == 8
    assert mx.array_equal(target.keys[0, 1, :, 3], expected)
    assert mx.array_equal(target.values[0, 0, :, 0], -expected)


def test_an_empty_cache_has_no_keys() -> None:
    with pytest.raises(ValueError, match="empty"):
        _ = KVCache().keys
    with pytest.raises(ValueError, match="empty"):
        _ = KVCache().state
    assert KVCache().nbytes == 0


def test_a_cache_of_another_depth_is_refused(model: Qwen3) -> None:
    short: list[Any] = make_cache(model.config)[:-1]
    with pytest.raises(ValueError, match="zip"):
        model(mx.array([[1]]), short)
