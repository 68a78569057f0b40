"""What of a model fits into this machine's memory, decided before anything of it is read.

Knows a checked checkpoint and what a person wants to run it with. Bytes are counted by `memory`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import mlx.core as mx

from qwen3_mlx.checkpoint.expert_memory import ExpertMemory, Experts
from qwen3_mlx.checkpoint.load import Checkpoint, compute_dtype
from qwen3_mlx.errors import ModelTooLargeError, UsageError
from qwen3_mlx.memory import (
    USUAL_CONTEXT,
    attends_in_one,
    check_memory,
    estimate_within,
    machine_memory,
    shown_bytes,
)


@dataclass(frozen=True, slots=True)
class Fitting:
    """A checkpoint as it is to be run.

    Attributes:
        checkpoint: Whose files have been found to agree.
        dtype: What to compute in; None for the device's own choice.
        tokens: The context that memory is counted for.
        kv_bits: What keys and values are rounded to; None: not at all.
        draft: Bytes of the memory that a model takes which guesses for it.
    """

    checkpoint: Checkpoint
    dtype: mx.Dtype | None
    tokens: int
    kv_bits: int | None
    draft: int = 0

    def slots(self, name: str, memory: ExpertMemory) -> int | None:
        """How many experts of each layer are to be in memory; None for all.

        Args:
            name: Of the model, as it was asked for.
            memory: What experts may take.

        Raises:
            UsageError: too little memory, or a model without experts.
        """
        config = self.checkpoint.config
        size = self.checkpoint.expert_nbytes(self.dtype)
        if not size:
            raise UsageError(
                f"{name} has no experts that could stay on disk",
                hint="Leave --expert-memory out: it is for mixtures of experts, like 30b-a3b.",
            )
        rest = estimate_within(
            config,
            self._available,
            weights=self.checkpoint.nbytes(self.dtype, expert_slots=0),
            context=self.tokens,
            item_bytes=self._item_bytes,
            kv_bits=self.kv_bits,
            experts=0,
            attends_in_one=attends_in_one(config),
        )
        experts = Experts(config.num_experts, config.num_experts_per_tok, size)
        slots = memory.slots(experts, self._available - rest.total)
        return None if slots == config.num_experts else slots

    def check(self, slots: int | None) -> int:
        """Refuse a model that does not fit, with so many slots for experts.

        Returns:
            Tokens of a prompt to read at a time.

        Raises:
            ModelTooLargeError: with the numbers, and what would make it fit.
        """
        config = self.checkpoint.config
        held = config.num_experts if slots is None else slots
        experts = held * self.checkpoint.expert_nbytes(self.dtype)
        with self._draft_named():
            demand = check_memory(
                config,
                self._available,
                weights=self.checkpoint.nbytes(self.dtype, expert_slots=slots),
                context=self.tokens,
                item_bytes=self._item_bytes,
                kv_bits=self.kv_bits,
                experts=experts,
                expert_memory=None if slots is None else experts,
                attends_in_one=attends_in_one(config),
            )
        return demand.chunk

    def needed(self) -> int:
        """Bytes that it takes with all its experts, as far as this machine goes."""
        config = self.checkpoint.config
        return estimate_within(
            config,
            self._available,
            weights=self.checkpoint.nbytes(self.dtype),
            context=self.tokens,
            item_bytes=self._item_bytes,
            kv_bits=self.kv_bits,
            attends_in_one=attends_in_one(config),
        ).total

    def spare(self) -> int:
        """What faster layouts of the weights may take of the memory that the weights leave."""
        return (self._available - self.checkpoint.nbytes(self.dtype)) // 4

    @property
    def _available(self) -> int:
        """Bytes of this machine that there are for it."""
        return max(0, machine_memory() - self.draft)

    @contextmanager
    def _draft_named(self) -> Iterator[None]:
        """Says of a model that does not fit what its draft model takes."""
        try:
            yield
        except ModelTooLargeError as error:
            if not self.draft:
                raise
            raise ModelTooLargeError(
                f"{error.message}, beside {shown_bytes(self.draft)} for the draft model",
                hint=f"{error.hint} Or leave draft out.",
            ) from error

    @property
    def _item_bytes(self) -> int:
        """Of the numbers that are computed with."""
        return (compute_dtype(self.dtype) or mx.bfloat16).size


def counted_tokens(checkpoint: Checkpoint, context: int | None, max_kv: int | None) -> int:
    """The context that memory is counted for: the one that is asked for, else a usual one.

    Raises:
        UsageError: The one that is asked for is none, or one that the model cannot have with any
            memory.
    """
    if context is not None:
        checkpoint.config.with_context(context)
    tokens = context or min(USUAL_CONTEXT, checkpoint.config.context_length)
    return min(tokens, max_kv or tokens)
