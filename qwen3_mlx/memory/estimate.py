"""What a model takes of the memory: weights, keys and values, what computing takes, head room.

Knows sizes of networks and how prompts are read. Does not know the machine, files or names.

`benchmarks/memory.py` holds the sum without head room against MLX's measured peak, on the CPU
backend: for the bundled models it is within 7 %, for larger ones within 10 %, but for a prompt of
two chunks, where it may be 12 % too low: the values of a first chunk share the memory of all that
was projected with them until the cache grows. Loading is not counted: where weights are made whole
for the CPU, it may take the whole ones twice for a moment. Not measured on Metal: see
:mod:`qwen3_mlx.memory.activations`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict, Unpack

from qwen3_mlx.memory.activations import activation_bytes
from qwen3_mlx.memory.layout import count_numbers, laid_out_bytes
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.cache import STEP
from qwen3_mlx.model.quantized_cache import GROUP_SIZES, THRESHOLD

# What a context is expected to hold when a person names none: the cache grows as it fills.
USUAL_CONTEXT = 4096

LARGEST_CHUNK = 512
SMALLEST_CHUNK = 32

# Of what is computed: as far as measured peaks are from the estimate, at most. Weights are exact.
HEAD_ROOM = 10


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a model takes of the memory, in bytes.

    Attributes:
        weights: As they are held.
        cache: Keys and values of the whole context.
        activations: Everything else while the last chunk of the prompt is read.
        chunk: Tokens of that chunk.
    """

    weights: int
    cache: int
    activations: int
    chunk: int

    @property
    def peak(self) -> int:
        """The most that is expected to be in use at once."""
        return self.weights + self.cache + self.activations

    @property
    def head_room(self) -> int:
        """A tenth of what is not weights: the estimate may be wrong by so much."""
        return (self.cache + self.activations) // HEAD_ROOM

    @property
    def total(self) -> int:
        """What there has to be."""
        return self.peak + self.head_room


class Use(TypedDict, total=False):
    """How a model is used, as far as it matters here; see :func:`estimate`."""

    kv_bits: int | None
    batch: int
    experts: int | None
    expert_memory: int | None
    attends_in_one: bool
    spare: int


def estimate(
    config: Qwen3Config,
    *,
    weights: int,
    context: int,
    chunk: int = LARGEST_CHUNK,
    item_bytes: int,
    kv_bits: int | None = None,
    batch: int = 1,
    experts: int | None = None,
    expert_memory: int | None = None,
    attends_in_one: bool = False,
    spare: int = 0,
) -> Estimate:
    """What a model takes of the memory.

    Args:
        config: The network.
        weights: Bytes of all its weights, as loaded.
        context: Tokens that its cache is to hold.
        chunk: Tokens of the prompt that are read at a time.
        item_bytes: Of the numbers that it computes with.
        kv_bits: What keys and values are rounded to, from 1024 tokens on; None: not at all.
        batch: Conversations at once.
        experts: Bytes of all experts among the weights; None: by their share of the numbers.
        expert_memory: Bytes of experts that are in memory at a time; None: all of them.
        attends_in_one: Whether attention is one kernel that writes no scores; with `kv_bits` it
            never is.
        spare: On the CPU backend in float32, the bytes that weights made whole may take (as for
            `qwen3_mlx.model.tune.tune`); elsewhere 0.
    """
    held = _held_weights(config, weights, experts, expert_memory, spare)
    cache = batch * _cache_bytes(config, context, item_bytes, kv_bits)
    tokens = min(chunk, context)
    # The layer that grows its cache holds the old one too.
    grown = cache * (context - tokens) // (context * config.num_hidden_layers)
    activations = activation_bytes(
        config,
        tokens=tokens,
        context=context,
        item_bytes=item_bytes,
        batch=batch,
        attends_in_one=attends_in_one and kv_bits is None,
        spare=spare,
    )
    return Estimate(held, cache, activations + grown, chunk)


def estimate_within(
    config: Qwen3Config,
    available: int,
    *,
    weights: int,
    context: int,
    item_bytes: int,
    **use: Unpack[Use],
) -> Estimate:
    """As `estimate`, with the chunk that `prefill_chunk` chooses for what is left."""
    demand = estimate(config, weights=weights, context=context, item_bytes=item_bytes, **use)
    free = available - demand.weights - demand.cache
    chunk = prefill_chunk(config, free, context=context, item_bytes=item_bytes, **use)
    return estimate(
        config, weights=weights, context=context, chunk=chunk, item_bytes=item_bytes, **use
    )


def prefill_chunk(
    config: Qwen3Config,
    free_bytes: int,
    *,
    context: int,
    item_bytes: int,
    **use: Unpack[Use],
) -> int:
    """Tokens of a prompt to read at a time: 512, or fewer where those would not fit.

    Args:
        config: The network.
        free_bytes: What is left for computing, beside weights and cache.
        context: Tokens of the whole prompt, with those that are in the cache already.
        item_bytes: Of the numbers that it computes with.
        use: As for `estimate`.

    Returns:
        A power of two from 32 to 512; 32 also where even that does not fit.
    """
    chunk = LARGEST_CHUNK
    while chunk > SMALLEST_CHUNK:
        demand = estimate(
            config, weights=0, context=context, chunk=chunk, item_bytes=item_bytes, **use
        )
        if demand.activations + demand.head_room <= free_bytes:
            break
        chunk //= 2
    return chunk


def cache_bytes(*, layers: int, kv_heads: int, head_dim: int, tokens: int, item_bytes: int) -> int:
    """Memory of the keys and values of ``tokens`` tokens, whose numbers take ``item_bytes``."""
    return 2 * layers * kv_heads * head_dim * tokens * item_bytes


def expert_bytes(config: Qwen3Config, weights: int) -> int:
    """Bytes of all experts among the weights, by their share of the numbers."""
    experts, others = count_numbers(config)
    return weights * experts // (experts + others)


def _held_weights(
    config: Qwen3Config, weights: int, experts: int | None, expert_memory: int | None, spare: int
) -> int:
    if expert_memory is None and not spare:
        return weights
    of_experts = expert_bytes(config, weights) if experts is None else experts
    if expert_memory is not None:
        return weights - max(0, of_experts - expert_memory)
    return laid_out_bytes(config, weights, of_experts, spare)


def _cache_bytes(config: Qwen3Config, context: int, item_bytes: int, kv_bits: int | None) -> int:
    """Of all layers, in whole steps of the buffers."""
    numbers = cache_bytes(
        layers=config.num_hidden_layers,
        kv_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        tokens=-(-context // STEP) * STEP,
        item_bytes=1,
    )
    if kv_bits is None or context <= THRESHOLD:
        return numbers * item_bytes
    group_size = next((size for size in GROUP_SIZES if config.head_dim % size == 0), 1)
    return numbers * kv_bits // 8 + 2 * item_bytes * numbers // group_size
