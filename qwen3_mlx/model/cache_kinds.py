"""Which kind of key-value cache a model is run with.

Knows the kinds and what each needs of a model. Does not know how they work.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from qwen3_mlx.errors import UsageError, check_type, shown
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.quantized_cache import BITS, GROUP_SIZES, QuantizedKVCache
from qwen3_mlx.model.sliding_cache import SINKS, SlidingKVCache


def layer_cache(
    config: Qwen3Config, kv_bits: int | None = None, max_kv: int | None = None
) -> Callable[[], KVCache]:
    """What makes the cache of one layer.

    Args:
        config: Of the model.
        kv_bits: Round keys and values to so many bits, from 1024 tokens on; None: never.
        max_kv: Keep the first tokens and the last ones, so many together; None: all.

    Raises:
        UsageError: both, a number that is not possible, or heads that cannot be rounded.
    """
    if kv_bits is not None and max_kv is not None:
        raise UsageError(
            "a cache is either rounded (kv_bits) or of bounded length (max_kv)",
            hint="Give one of the two.",
        )
    if kv_bits is not None:
        return _rounding(config, kv_bits)
    return KVCache if max_kv is None else _sliding(max_kv)


def _rounding(config: Qwen3Config, kv_bits: int) -> Callable[[], KVCache]:
    check_type("kv_bits", kv_bits, int)
    if kv_bits not in BITS:
        raise UsageError(
            f"kv_bits is {shown(kv_bits)}", hint="Keys and values can take 4 or 8 bits."
        )
    if config.head_dim % GROUP_SIZES[-1]:
        raise UsageError(
            f"this model's keys cannot be rounded: {config.head_dim} numbers are no multiple "
            f"of {GROUP_SIZES[-1]}",
            hint="Leave kv_bits out.",
        )
    return partial(QuantizedKVCache, kv_bits, config.head_dim)


def _sliding(max_kv: int) -> Callable[[], KVCache]:
    check_type("max_kv", max_kv, int)
    if max_kv <= SINKS:
        raise UsageError(
            f"max_kv is {shown(max_kv)}",
            hint=f"The first {SINKS} tokens are always kept: give more, at best a thousand.",
        )
    return partial(SlidingKVCache, max_kv)
