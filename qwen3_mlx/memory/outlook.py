"""Which published models a machine can run, with how much context, and about how fast.

Knows estimates of memory and speed. Measures nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qwen3_mlx.memory.activations import FUSED_HEAD_DIMS
from qwen3_mlx.memory.chips import Chip
from qwen3_mlx.memory.estimate import USUAL_CONTEXT, Use, estimate_within
from qwen3_mlx.memory.family import (
    FORMATS,
    HEAD_DIM,
    SHAPES,
    family_config,
    family_weights,
    longest_possible,
)
from qwen3_mlx.memory.fits import USEFUL_CONTEXT, longest_context, room_for_experts
from qwen3_mlx.memory.speed import decode_speed, token_bytes


@dataclass(frozen=True, slots=True)
class Prospect:
    """What to expect of a model in one format. All numbers are estimates.

    Attributes:
        name: Its short name.
        format: How its weights are rounded: a recipe of `convert`.
        weights: Their bytes.
        needed: Bytes for 4,096 tokens of context.
        context: Tokens of context that fit, at most those that the model can have; 0 where fewer
            than 1,024 do.
        tokens_per_second: Decoding, at 4,096 tokens of context or at the longest that fits; None
            where it does not fit or the chip is not known.
        expert_memory: Of a mixture that does not fit, bytes that are left for its experts; None
            where those of one token do not fit either.
    """

    name: str
    format: str
    weights: int
    needed: int
    context: int
    tokens_per_second: float | None
    expert_memory: int | None

    @property
    def fits(self) -> bool:
        """Whether it runs with all its weights in memory."""
        return self.context > 0


def prospects(
    available: int, chip: Chip | None, *, item_bytes: int = 2, metal: bool = True
) -> Iterator[Prospect]:
    """Every size in every format.

    Args:
        available: Bytes that a model may take.
        chip: What it runs on; None where that is not known.
        item_bytes: Of the numbers that it computes with: 2 on a GPU, 4 on the CPU backend.
        metal: Whether it runs on Metal, where attention is one kernel.
    """
    for name in SHAPES:
        for format_name in FORMATS:
            yield _prospect(name, format_name, available, chip, item_bytes, metal)


def _prospect(
    name: str, format_name: str, available: int, chip: Chip | None, item_bytes: int, metal: bool
) -> Prospect:
    config = family_config(name)
    weights = family_weights(config, FORMATS[format_name], item_bytes)
    use: Use = {"attends_in_one": metal and HEAD_DIM in FUSED_HEAD_DIMS}
    total, limit = weights.total, longest_possible(name)
    longest = longest_context(
        config, available, weights=total, limit=limit, item_bytes=item_bytes, **use
    )
    context = longest if longest >= USEFUL_CONTEXT else 0
    usual = estimate_within(
        config, available, weights=total, context=USUAL_CONTEXT, item_bytes=item_bytes, **use
    )
    room = room_for_experts(
        config, available, weights=total, context=USUAL_CONTEXT, item_bytes=item_bytes, **use
    )
    held = min(context, USUAL_CONTEXT)
    read = token_bytes(
        config, total, embedding=weights.embedding, context=held, item_bytes=item_bytes
    )
    return Prospect(
        name,
        format_name,
        total,
        usual.total,
        context,
        decode_speed(config, chip, read) if context and chip else None,
        None if context else room,
    )
