"""Who guesses the tokens to come: the text itself, or a smaller model.

Knows the ids so far and proposes more. Does not know whether its guesses are right, nor what
checking them costs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, cast

import mlx.core as mx

from qwen3_mlx.generation.decode import PREFILL_CHUNK, prefill, row
from qwen3_mlx.generation.shared import common_prefix
from qwen3_mlx.model.cache import rewind
from qwen3_mlx.model.qwen3 import Qwen3

LOOKUP_TOKENS = 8
MODEL_TOKENS = 4
NGRAMS = (3, 2)


class Drafter(Protocol):
    """Proposes how ids may go on."""

    def propose(self, ids: Sequence[int]) -> list[int]:
        """What may follow `ids`, at best several tokens, or none."""


class PromptLookup:
    """Proposes what followed the last few ids where they stood before, in prompt or reply.

    Source: prompt lookup decoding (Saxena, 2023). Three ids are looked for, then two.
    """

    def __init__(self) -> None:
        self._ids: list[int] = []
        self._ends: dict[tuple[int, ...], int] = {}

    def propose(self, ids: Sequence[int]) -> list[int]:
        """As :meth:`Drafter.propose`; up to 8 tokens."""
        self._note(ids)
        for length in NGRAMS:
            end = self._ends.get(tuple(ids[-length:])) if len(ids) > length else None
            if end is not None:
                return list(ids[end : end + LOOKUP_TOKENS])
        return []

    def _note(self, ids: Sequence[int]) -> None:
        """Remember where each short run of ids ended last; not the one at the very end."""
        if ids[: len(self._ids)] != self._ids:
            self._ids, self._ends = [], {}
        for end in range(max(len(self._ids), 1), len(ids)):
            for length in NGRAMS:
                if end >= length:
                    self._ends[tuple(ids[end - length : end])] = end
        self._ids = list(ids)


class DraftModel:
    """Proposes what a smaller model of the same vocabulary would say.

    Args:
        model: The smaller one.
        vocab_size: Ids from here on are not proposed.
    """

    def __init__(self, model: Qwen3, vocab_size: int) -> None:
        self._model = model
        self._vocab_size = vocab_size
        self._cache = model.make_cache()
        self._read: list[int] = []

    def propose(self, ids: Sequence[int]) -> list[int]:
        """As :meth:`Drafter.propose`; 4 tokens, the likeliest ones."""
        held = common_prefix(self._read, ids[:-1])
        self._read = self._read[:held]  # first, so that no interrupt leaves more noted than read
        rewind(self._cache, held)
        new = list(ids[held:])
        if len(new) > PREFILL_CHUNK:  # a prompt, whose memory grows with what is read at a time
            prefill(self._model, new[:-1], self._cache)
            new = new[-1:]
        tokens = [self._best(self._model.last_logits(row(new), self._cache))]
        while len(tokens) < MODEL_TOKENS:
            tokens.append(self._best(self._model.next_logits(tokens[-1], self._cache)))
        proposed = cast(list[int], mx.concatenate(tokens).tolist())
        self._read = [*ids, *proposed[:-1]]
        return proposed

    def _best(self, logits: mx.array) -> mx.array:
        return mx.argmax(logits[:, : self._vocab_size], axis=-1)
