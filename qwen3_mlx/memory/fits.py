"""Whether a model fits, and what would make it fit.

Knows estimates and the options that a person has. Reads no files and asks no machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from qwen3_mlx.errors import ModelTooLargeError
from qwen3_mlx.memory.estimate import Estimate, Use, estimate_within, expert_bytes
from qwen3_mlx.memory.layout import count_numbers
from qwen3_mlx.memory.sizes import GIGABYTE, shown_bytes
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.cache import STEP

# What the other quantization is: 4 bits, with two numbers for each group of 64.
BITS, GROUP_SIZE = 4, 64
KV_BITS = 8

# A context of fewer tokens is not worth proposing.
USEFUL_CONTEXT = 1024


def check_memory(
    config: Qwen3Config,
    available: int,
    *,
    weights: int,
    context: int,
    item_bytes: int,
    **use: Unpack[Use],
) -> Estimate:
    """Refuse a model before it is loaded if it cannot fit.

    Args:
        config: The network.
        available: Bytes that there are for it.
        weights: As for `estimate`, and so is all that follows.
        context: Tokens that it is to hold.
        item_bytes: Of the numbers that it computes with.
        use: How it is used.

    Returns:
        What it takes, with the prefill chunk that fits.

    Raises:
        ModelTooLargeError: it does not fit; with the numbers, and what would make it fit.
    """
    demand = estimate_within(
        config, available, weights=weights, context=context, item_bytes=item_bytes, **use
    )
    if demand.total <= available:
        return demand
    changes = list(
        remedies(config, available, weights=weights, context=context, item_bytes=item_bytes, **use)
    )
    raise ModelTooLargeError(
        f"the model needs {shown_bytes(demand.weights)} for its weights, "
        f"{shown_bytes(demand.cache)} for {context} tokens of context and "
        f"{shown_bytes(demand.total - demand.weights - demand.cache)} to compute, "
        f"and this machine has {shown_bytes(available)} for it",
        hint=f"It would fit with {' or '.join(changes)}."
        if changes
        else "Choose a smaller model: `qwen3-mlx models` lists sizes.",
    )


def remedies(
    config: Qwen3Config,
    available: int,
    *,
    weights: int,
    context: int,
    item_bytes: int,
    **use: Unpack[Use],
) -> Iterator[str]:
    """Each change that alone would make a model fit, in words; arguments as for `check_memory`."""

    def fits(weights: int, use: Use) -> bool:
        found = estimate_within(
            config, available, weights=weights, context=context, item_bytes=item_bytes, **use
        )
        return found.total <= available

    shorter = longest_context(
        config, available, weights=weights, limit=context, item_bytes=item_bytes, **use
    )
    if shorter >= USEFUL_CONTEXT:
        yield f"a shorter context (--context {shorter})"
    if use.get("kv_bits") is None and fits(weights, {**use, "kv_bits": KV_BITS}):
        yield f"a rounded cache (--kv-bits {KV_BITS})"
    fewer_bits = _at_four_bits(config, item_bytes)
    if fewer_bits < 0.9 * weights and fits(fewer_bits, {**use, "experts": None}):
        yield f"weights of {BITS} bits, which take {shown_bytes(fewer_bits)}"
    room = room_for_experts(
        config, available, weights=weights, context=context, item_bytes=item_bytes, **use
    )
    if room is not None:
        yield f"a part of its experts in memory (--expert-memory {shown_memory(room)})"


def longest_context(
    config: Qwen3Config,
    available: int,
    *,
    weights: int,
    limit: int,
    item_bytes: int,
    **use: Unpack[Use],
) -> int:
    """The longest context that fits, in whole steps of the cache; 0 if none does.

    Args:
        config: The network.
        available: Bytes that there are.
        weights: As for `estimate`.
        limit: Tokens that are enough.
        item_bytes: Of the numbers that it computes with.
        use: As for `estimate`.
    """

    def fits(context: int) -> bool:
        found = estimate_within(
            config, available, weights=weights, context=context, item_bytes=item_bytes, **use
        )
        return found.total <= available

    if fits(limit):
        return limit
    low, high = 0, limit // STEP + 1  # steps that fit (0 does), and steps that do not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * STEP) else (low, middle)
    return low * STEP


def room_for_experts(
    config: Qwen3Config,
    available: int,
    *,
    weights: int,
    context: int,
    item_bytes: int,
    **use: Unpack[Use],
) -> int | None:
    """Bytes that are left for experts; arguments as for `check_memory`.

    None where those that one token goes through do not fit, there are none, or `expert_memory` was
    given already.
    """
    if not config.num_experts or use.get("expert_memory") is not None:
        return None
    experts = use.get("experts")
    total = expert_bytes(config, weights) if experts is None else experts
    others: Use = {**use, "experts": total, "expert_memory": 0}
    needed = estimate_within(
        config, available, weights=weights, context=context, item_bytes=item_bytes, **others
    ).total
    least = total * config.num_experts_per_tok / config.num_experts
    return available - needed if available - needed >= least else None


def shown_memory(count: int) -> str:
    """Bytes as `--expert-memory` takes them, rounded down."""
    return f"{count // 10**8 / 10:g}GB" if count >= GIGABYTE else f"{count // 10**6}MB"


def _at_four_bits(config: Qwen3Config, item_bytes: int) -> int:
    bits = BITS + 2 * 8 * item_bytes / GROUP_SIZE
    return round(sum(count_numbers(config)) * bits / 8)
