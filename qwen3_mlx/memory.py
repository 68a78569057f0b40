"""What fits into this machine's memory.

Knows sizes in bytes and the machine. Does not know files or networks: callers count their weights.
"""

from __future__ import annotations

import os

import mlx.core as mx

from qwen3_mlx.errors import ModelTooLargeError

GIGABYTE = 10**9

# What a context is expected to hold when a person names none: the cache grows as it fills.
USUAL_CONTEXT = 4096

# What Metal recommends to use of the memory: two thirds, and three quarters above 36 GB.
SMALL_MACHINE = 36 * 2**30

# What a device says of itself: Metal recommends a limit, CUDA has memory of its own.
DEVICE_LIMITS = ("max_recommended_working_set_size", "total_memory")


def machine_memory() -> int:
    """Bytes that a model may take: the device's limit, else the usable part of all memory."""
    info = mx.device_info()
    for name in DEVICE_LIMITS:
        if name in info:
            return int(info[name])
    return usable_bytes(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def usable_bytes(memory: int) -> int:
    """What a model may take of a machine with so much memory; the rest is for everything else."""
    return memory * 2 // 3 if memory <= SMALL_MACHINE else memory * 3 // 4


def cache_bytes(*, layers: int, kv_heads: int, head_dim: int, tokens: int, item_bytes: int) -> int:
    """Memory of the keys and values of ``tokens`` tokens, whose numbers take ``item_bytes``."""
    return 2 * layers * kv_heads * head_dim * tokens * item_bytes


def check_memory(weights: int, cache: int, *, tokens: int, available: int | None = None) -> None:
    """Refuse a model before it is loaded if it cannot fit.

    Args:
        weights: Bytes of its weights, as loaded.
        cache: Bytes of keys and values of the context that it is to have.
        tokens: The length of that context.
        available: Bytes that there are; None asks the machine.

    Raises:
        ModelTooLargeError: It does not fit; with the numbers.
    """
    limit = machine_memory() if available is None else available
    if weights + cache <= limit:
        return
    hint = "Choose a smaller model: `qwen3-mlx models` lists sizes."
    if weights <= limit:
        hint = "Ask for a shorter context (--context), or choose a smaller model."
    raise ModelTooLargeError(
        f"the model needs {shown_bytes(weights)} for its weights and {shown_bytes(cache)} for "
        f"{tokens} tokens of context, and this machine has {shown_bytes(limit)} for it",
        hint=hint,
    )


def shown_bytes(count: float) -> str:
    """A size for people: ``17.2 GB``, ``6.0 MB``, ``0.5 kB``."""
    if count >= 0.1 * GIGABYTE:
        return f"{count / GIGABYTE:.1f} GB"
    return f"{count / 10**6:.1f} MB" if count >= 10**5 else f"{count / 10**3:.1f} kB"
