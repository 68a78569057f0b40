"""What a machine has, and the bounds that MLX is given."""

from __future__ import annotations

import mlx.core as mx
import pytest

from qwen3_mlx import memory
from qwen3_mlx.memory import machine


@pytest.mark.parametrize("name", ["max_recommended_working_set_size", "total_memory"])
def test_the_limit_of_a_gpu_counts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(mx, "device_info", lambda: {"device_name": "GPU", name: 123})
    assert memory.machine_memory() == 123


@pytest.mark.parametrize(("gigabytes", "usable"), [(24, 16), (36, 24), (64, 48)])
def test_else_the_usable_part_of_all_memory_counts(
    monkeypatch: pytest.MonkeyPatch, gigabytes: int, usable: int
) -> None:
    """Two thirds up to 36 GB, three quarters above."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gigabytes * 2**18}
    monkeypatch.setattr(mx, "device_info", dict)
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    assert memory.machine_memory() == usable * 2**30


def test_what_is_free_is_what_arrays_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "machine_memory", lambda: 1000)
    monkeypatch.setattr(mx, "get_active_memory", lambda: 300)
    assert memory.free_memory() == 700
    monkeypatch.setattr(mx, "get_active_memory", lambda: 1300)
    assert memory.free_memory() == 0


@pytest.mark.parametrize(
    ("usable", "kept"),
    [(10**9, 128 * 2**20), (16 * 2**30, 2**30), (512 * 2**30, 2 * 2**30)],
)
def test_freed_buffers_are_bounded(monkeypatch: pytest.MonkeyPatch, usable: int, kept: int) -> None:
    """A sixteenth, from 128 MiB to 2 GiB."""
    monkeypatch.setattr(machine, "machine_memory", lambda: usable)
    assert bound_from(2**60) == kept


def test_a_tighter_bound_stays() -> None:
    assert bound_from(2**20) == 2**20


def bound_from(own: int) -> int:
    """What MLX's bound has become, when it was its own before."""
    before = mx.set_cache_limit(own)
    try:
        memory.bound_cache()
    finally:
        bound = mx.set_cache_limit(before)
    return bound


@pytest.mark.parametrize("metal", [True, False])
def test_memory_is_wired_on_metal_alone(monkeypatch: pytest.MonkeyPatch, metal: bool) -> None:
    limits: list[int] = []
    monkeypatch.setattr(mx.metal, "is_available", lambda: metal)
    monkeypatch.setattr(mx, "device_info", lambda: {"max_recommended_working_set_size": 51})
    monkeypatch.setattr(mx, "set_wired_limit", limits.append)
    memory.wire_memory()
    assert limits == ([51] if metal else [])
