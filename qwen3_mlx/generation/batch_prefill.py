"""Prompts of different lengths through the model together, padded on the left.

Knows the model and a batch's cache, and when reading together pays. Does not know what is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from qwen3_mlx.generation.decode import PREFILL_CHUNK
from qwen3_mlx.model.batch_cache import BatchCache
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.qwen3 import Qwen3

# Tokens of padding that cost as much as another pass through the model.
GPU_PASS = 16
CPU_PASS = 4


def prefill_together(
    model: Qwen3, prompts: Sequence[Sequence[int]], *, chunk: int = PREFILL_CHUNK
) -> tuple[mx.array, BatchCache]:
    """Read prompts, each of at least one id.

    Args:
        chunk: Ids read at a time, those of all prompts counted.

    Returns:
        The logits [B, V] after the last id of each, and the cache that holds them.
    """
    lengths = [len(ids) for ids in prompts]
    cache, longest = BatchCache(model.config.num_hidden_layers, lengths), max(lengths)
    padded = mx.array([[0] * (longest - len(ids)) + list(ids) for ids in prompts])
    step = max(1, chunk // len(prompts))
    *parts, last = (padded[:, start : start + step] for start in range(0, longest, step))
    for part in parts:
        model.model(part, cache.layers)
        mx.eval([layer.buffers for layer in cache.layers])
    logits = model.last_logits(last, cache.layers)
    mx.eval(logits)
    return logits, cache


def alike(lengths: Sequence[int]) -> list[list[int]]:
    """Which prompts are read together: those for whom padding costs less than a pass of their own.

    Returns:
        Groups of places in `lengths`.
    """
    bearable = GPU_PASS if on_gpu() else CPU_PASS
    groups: list[list[int]] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if groups and lengths[groups[-1][0]] - lengths[place] <= bearable:
            groups[-1].append(place)
        else:
            groups.append([place])
    return groups
