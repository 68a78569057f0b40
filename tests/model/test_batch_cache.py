"""Rows side by side say what each would say alone, however they joined."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.model import Qwen3, Qwen3Config
from qwen3_mlx.model.batch_cache import BatchCache, Padding, side_by_side

if TYPE_CHECKING:
    from tests.model.conftest import Distance, MakeModel

VOCAB = 64
TOLERANCE = 1e-4


@pytest.fixture(scope="module", params=["dense", "moe", "moe-yarn"])
def model(request: pytest.FixtureRequest, make_model: MakeModel) -> Qwen3:
    kind, _, yarn = request.param.partition("-")
    config = Qwen3Config.from_hf(request.getfixturevalue(kind))
    return make_model(config.with_context(4096) if yarn else config)


def random_ids(length: int, seed: int = 0) -> list[int]:
    ids = mx.random.randint(0, VOCAB, (length,), key=mx.random.key(seed))
    return cast(list[int], ids.tolist())


def read(model: Qwen3, rows: Sequence[Sequence[int]], chunk: int = 512) -> BatchCache:
    """A cache that holds these rows, read together."""
    cache = BatchCache(len(model.model.layers), [len(row) for row in rows])
    longest = max(map(len, rows))
    padded = mx.array([[0] * (longest - len(row)) + list(row) for row in rows])
    for start in range(0, longest, chunk):
        mx.eval(model(padded[:, start : start + chunk], cache.layers))
    return cache


def step(model: Qwen3, cache: BatchCache, rows: list[list[int]], tokens: Sequence[int]) -> mx.array:
    """Append a token to each row; the logits after it, [B, V]."""
    for row, token in zip(rows, tokens, strict=True):
        row.append(token)
    return model.last_logits(mx.array([list(tokens)]).T, cache.layers)


def alone(model: Qwen3, rows: Sequence[Sequence[int]]) -> mx.array:
    """The last logits of each row, by the network without a cache, [B, V]."""
    return mx.concatenate([model.last_logits(mx.array([list(row)])) for row in rows])


@settings(deadline=None, max_examples=10)
@given(
    lengths=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    chunk=st.integers(1, 20),
    steps=st.integers(1, 3),
)
def test_rows_of_different_lengths_are_as_alone(
    model: Qwen3, distance: Distance, lengths: list[int], chunk: int, steps: int
) -> None:
    rows = [random_ids(length, seed) for seed, length in enumerate(lengths)]
    cache = read(model, rows, chunk)
    for number in range(steps):
        logits = step(model, cache, rows, random_ids(len(rows), 100 + number))
        assert distance(logits, alone(model, rows)) < TOLERANCE


@settings(deadline=None, max_examples=10)
@given(
    first=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    second=st.lists(st.integers(1, 20), min_size=1, max_size=3),
    data=st.data(),
)
def test_rows_that_stay_and_rows_that_join_are_as_alone(
    model: Qwen3, distance: Distance, first: list[int], second: list[int], data: st.DataObject
) -> None:
    parts = [[random_ids(length, seed) for seed, length in enumerate(first)]]
    parts.append([random_ids(length, 50 + seed) for seed, length in enumerate(second)])
    caches = [read(model, rows) for rows in parts]
    step(model, caches[0], parts[0], random_ids(len(first)))
    everyone = [(part, row) for part in (0, 1) for row in range(len(parts[part]))]
    chosen = data.draw(st.lists(st.sampled_from(everyone), min_size=1, unique=True))
    cache = side_by_side([(caches[part], row) for part, row in chosen])
    rows = [parts[part][row] for part, row in chosen]
    assert [cache.length(place) for place in range(len(rows))] == [len(row) for row in rows]
    assert cache.layers[0].length == max(map(len, rows))
    logits = step(model, cache, rows, random_ids(len(rows), 7))
    assert distance(logits, alone(model, rows)) < TOLERANCE


def test_growing_past_the_room(model: Qwen3, distance: Distance) -> None:
    """Buffers have room for 256 places, and are laid out anew with room for more."""
    rows = [random_ids(254), random_ids(3)]
    cache = read(model, rows)
    for number in range(4):
        step(model, cache, rows, [number, number])
    cache = side_by_side([(cache, 1), (cache, 0)])
    rows.reverse()
    assert distance(step(model, cache, rows, [1, 2]), alone(model, rows)) < TOLERANCE


def test_several_tokens_a_row(model: Qwen3, distance: Distance) -> None:
    rows = [random_ids(9), random_ids(4)]
    cache = read(model, rows)
    logits = model.last_logits(mx.array([[1, 2, 3], [4, 5, 6]]), cache.layers)
    rows = [[*rows[0], 1, 2, 3], [*rows[1], 4, 5, 6]]
    assert distance(logits, alone(model, rows)) < TOLERANCE


def test_positions_count_from_where_each_row_begins() -> None:
    padding = Padding([2, 0])
    positions = padding.positions(5)
    assert isinstance(positions, mx.array)
    assert positions.tolist() == [3, 5]


def test_a_mask_by_hand() -> None:
    """Row 0 begins at place 2; what is before it sees itself alone, and nobody sees it."""
    mask = Padding([2, 0]).mask(4, 4)
    assert isinstance(mask, mx.array)
    assert mask[:, 0].astype(mx.int32).tolist() == [
        [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 1, 1]],
        [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [1, 1, 1, 1]],
    ]


def test_the_mask_of_a_step_is_made_once() -> None:
    padding = Padding([2, 0])
    mask = padding.mask(1, 4)
    assert isinstance(mask, mx.array)
    assert mask[:, 0, 0].tolist() == [[False, False, True, True], [True] * 4]
    assert padding.mask(1, 4) is mask
    assert padding.mask(1, 5) is not mask


def test_rows_of_one_length_need_no_mask() -> None:
    padding = Padding([0, 0])
    assert (padding.positions(5), padding.mask(1, 5), padding.mask(3, 5)) == (5, None, "causal")
