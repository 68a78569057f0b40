"""Experts in slots, against the same experts all in memory."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Thread

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlx.utils import tree_flatten

from qwen3_mlx.model.expert_slots import Buffers, ExpertSlots
from qwen3_mlx.model.moe import SwitchMLP

EXPERTS, HIDDEN, WIDTH, TOP_K = 12, 64, 32, 4
PROJECTIONS = ("gate_proj", "up_proj", "down_proj")
# Bits of each projection; none leaves it whole. Gate and up are joined where they are alike.
ROUNDINGS: dict[str, tuple[int | None, int | None, int | None]] = {
    "whole": (None, None, None),
    "4 bits": (4, 4, 4),
    "down otherwise": (4, 4, 6),
    "gate and up otherwise": (3, 8, None),
}


def experts(count: int, bits: tuple[int | None, int | None, int | None]) -> SwitchMLP:
    mx.random.seed(3)
    mlp = SwitchMLP(HIDDEN, WIDTH, count)
    for name, each in zip(PROJECTIONS, bits, strict=True):
        if each:
            mlp[name] = mlp[name].to_quantized(32, each)
    mx.eval(mlp.parameters())  # type: ignore[no-untyped-call]
    return mlp


class Shelf:
    """Where experts come from: all of them, in memory.

    Attributes:
        reads: The experts of each read.
        broken: Experts that cannot be read.
    """

    def __init__(self, mlp: SwitchMLP) -> None:
        self.reads: list[list[int]] = []
        self.broken: set[int] = set()
        self._arrays = dict(tree_flatten(mlp.parameters()))  # type: ignore[no-untyped-call]

    def read(self, wanted: Mapping[int, Buffers]) -> None:
        self.reads.append(list(wanted))
        for expert, buffers in wanted.items():
            for name, buffer in buffers.items():
                buffer[:] = memoryview(self._arrays[name][expert].view(mx.uint8)).cast("B")
                if expert in self.broken:
                    raise OSError(name)


def in_slots(
    slots: int, bits: tuple[int | None, int | None, int | None] = (4, 4, 4)
) -> tuple[ExpertSlots, SwitchMLP, Shelf]:
    whole = experts(EXPERTS, bits)
    shelf = Shelf(whole)
    return ExpertSlots(experts(slots, bits), EXPERTS, shelf, mx.float32), whole, shelf


def tokens(*chosen: list[int], seed: int = 0) -> tuple[mx.array, mx.array]:
    """One token for each list of experts."""
    x = mx.random.normal((1, len(chosen), HIDDEN), key=mx.random.key(seed))
    return x, mx.array([chosen])


@pytest.mark.parametrize("slots", [TOP_K, 5, 8, EXPERTS])
@pytest.mark.parametrize("bits", ROUNDINGS.values(), ids=ROUNDINGS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (2, 30)])
def test_the_numbers_are_those_of_all_experts_in_memory(
    slots: int, bits: tuple[int | None, int | None, int | None], shape: tuple[int, int]
) -> None:
    some, whole, _ = in_slots(slots, bits)
    for turn in range(4):
        x_key, router_key = mx.random.split(mx.random.key(turn))
        x = mx.random.normal((*shape, HIDDEN), key=x_key)
        scores = mx.random.normal((*shape, EXPERTS), key=router_key)
        chosen = mx.argsort(scores, axis=-1)[..., :TOP_K]
        assert mx.allclose(some(x, chosen), whole(x, chosen), rtol=1e-5, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(st.integers(0, EXPERTS - 1), min_size=2, max_size=2), min_size=1))
def test_any_choice_of_any_tokens_is_computed(chosen: list[list[int]]) -> None:
    some, whole, _ = in_slots(3)
    x, numbers = tokens(*chosen)
    assert mx.allclose(some(x, numbers), whole(x, numbers), rtol=1e-5, atol=1e-6)


def test_what_is_in_a_slot_is_not_read_again() -> None:
    some, _, shelf = in_slots(4)
    some(*tokens([0, 1]))
    some(*tokens([1, 2]))
    some(*tokens([0, 2]))
    assert shelf.reads == [[0, 1], [2]]


def test_many_experts_go_through_few_slots_each_once_and_those_that_are_there_first() -> None:
    some, _, shelf = in_slots(4)
    some(*tokens([7, 8]))
    some(*tokens([0, 1], [7, 2], [3, 4], [8, 5]))
    # 7 and 8 are there. The others are read two at a time, and those of the last token last.
    assert shelf.reads == [[7, 8], [0, 1], [2, 3], [4, 5]]
    some(*tokens([4, 5], [2, 3]))
    assert len(shelf.reads) == 4


def test_the_slots_are_never_copied() -> None:
    some, _, _ = in_slots(4)
    arrays = dict(tree_flatten(some._mlp.parameters()))  # type: ignore[no-untyped-call]
    views = {name: memoryview(array.view(mx.uint8)) for name, array in arrays.items()}
    for expert in range(EXPERTS):
        mx.eval(some(*tokens([expert, (expert + 1) % EXPERTS])))
    after = dict(tree_flatten(some._mlp.parameters()))  # type: ignore[no-untyped-call]
    assert all(after[name] is arrays[name] for name in arrays)
    assert all(memoryview(after[name].view(mx.uint8)) == views[name] for name in arrays)


def test_slots_are_no_parameters() -> None:
    some, _, _ = in_slots(4)
    assert some.parameters() == {}  # type: ignore[no-untyped-call]


def test_results_that_are_looked_at_later_are_not_overwritten() -> None:
    some, whole, _ = in_slots(2)
    asked = [tokens([n, n + 1], seed=n) for n in range(0, EXPERTS, 2)]
    results = [some(*each) for each in asked]
    for each, result in zip(asked, results, strict=True):
        assert mx.allclose(result, whole(*each), rtol=1e-5, atol=1e-6)


def test_threads_may_share_slots() -> None:
    some, whole, _ = in_slots(2)
    asked = [tokens([n, n + 1], seed=n) for n in range(0, EXPERTS, 2)]
    expected = [whole(*each) for each in asked]
    mx.eval(asked, expected)
    equal: list[bool] = []

    def ask(number: int) -> None:
        for _ in range(5):
            result = some(*asked[number])
            equal.append(bool(mx.allclose(result, expected[number], rtol=1e-5, atol=1e-6)))

    threads = [Thread(target=ask, args=(number,)) for number in range(len(asked))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert equal == [True] * 5 * len(asked)


def test_a_read_that_fails_leaves_the_other_slots_as_they_were() -> None:
    some, whole, shelf = in_slots(4)
    some(*tokens([0, 1]))
    shelf.broken = {3}
    with pytest.raises(OSError, match="gate_proj"):
        some(*tokens([2, 3]))
    shelf.broken = set()
    shelf.reads.clear()
    again = tokens([0, 1], [2, 3])
    assert mx.allclose(some(*again), whole(*again), rtol=1e-5, atol=1e-6)
    assert shelf.reads == [[2, 3]]
