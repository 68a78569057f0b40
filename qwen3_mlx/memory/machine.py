"""What this machine has for a model, and how MLX's hold on it is bounded.

Knows MLX's devices and limits, and the machine's memory. Does not know models.
"""

from __future__ import annotations

import os

import mlx.core as mx

# What Metal recommends to use of the memory: two thirds, and three quarters above 36 GB.
SMALL_MACHINE = 36 * 2**30

# What a device says of itself: Metal recommends a limit, CUDA has memory of its own.
WORKING_SET = "max_recommended_working_set_size"
DEVICE_LIMITS = (WORKING_SET, "total_memory")

LEAST_CACHE = 128 * 2**20
MOST_CACHE = 2 * 2**30
CACHE_SHARE = 16


def machine_memory() -> int:
    """Bytes that a model may take: the device's limit, else the usable part of all memory."""
    info = mx.device_info()
    for name in DEVICE_LIMITS:
        if name in info:
            return int(info[name])
    return usable_bytes(total_memory())


def total_memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def usable_bytes(memory: int) -> int:
    """What a model may take of a machine with so much memory; the rest is for everything else."""
    return memory * 2 // 3 if memory <= SMALL_MACHINE else memory * 3 // 4


def free_memory() -> int:
    """Bytes that a model may still take; what MLX keeps for reuse counts as free."""
    return max(0, machine_memory() - mx.get_active_memory())


def bound_cache() -> None:
    """Bound the freed buffers that MLX keeps for reuse to a sixteenth of `machine_memory`.

    On a GPU MLX bounds them by nothing less than the memory itself, and it reuses a buffer only for
    an array of about its size. A key-value cache that grows never asks for the same size again, so
    what it outgrows would pile up. What does come again are the arrays of one prefill chunk: some
    hundred megabytes for the largest models, which is why the bound is never under 128 MiB; above
    2 GiB it would gain nothing. A tighter bound stays, as MLX's own of 32 MiB on a CPU. Not
    measured on Metal.
    """
    share = machine_memory() // CACHE_SHARE
    bound = min(max(share, LEAST_CACHE), MOST_CACHE)
    before = mx.set_cache_limit(bound)
    mx.set_cache_limit(min(before, bound))


def can_wire() -> bool:
    """Whether MLX's memory can be kept resident here: with Metal."""
    return mx.metal.is_available()


def wire_memory() -> None:
    """Ask macOS to keep MLX's memory resident, as much of it as Metal recommends to use.

    Only on request: a published test (mlx issue 3186) had kernel panics in 3 of 3 runs with a
    wired limit, under concurrent requests whose caches came and went, and in none of 10 without.
    A model that is used every now and then may answer faster with it, for macOS moves none of it
    out meanwhile. Where it cannot be done (see `can_wire`), nothing happens.
    """
    if can_wire():
        mx.set_wired_limit(int(mx.device_info()[WORKING_SET]))
