"""A look at the answer that the model would give now, without giving it.

Knows the model and its cache, which is afterwards as it was. Does not know when to look, nor what
to make of it.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import cast

import mlx.core as mx

from qwen3_mlx.generation.auto import Forced
from qwen3_mlx.generation.decode import prefill
from qwen3_mlx.generation.sampling import mask_ids
from qwen3_mlx.model.cache import KVCache, rewind
from qwen3_mlx.model.qwen3 import Qwen3

ANSWER_TOKENS = 16
"""An answer is known by its first tokens."""


class Probe:
    """Looks at answers, the likeliest token after the other.

    Args:
        model: Whose answers.
        cache: What it has read. Caches that cannot go back are copied for each look.
        vocab_size: Ids from here on are never chosen.
        ends: Ids that end an answer.

    Attributes:
        tokens: Read or written in all looks so far.
    """

    def __init__(
        self, model: Qwen3, cache: Sequence[KVCache], vocab_size: int, ends: frozenset[int]
    ) -> None:
        self.tokens = 0
        self._model = model
        self._cache = cache
        self._vocab_size = vocab_size
        self._ends = ends

    def look(
        self, ids: Sequence[int], *, floor: float = 0.0, longest: int = ANSWER_TOKENS
    ) -> Forced:
        """The answer after `ids` (at least one), of at most `longest` tokens.

        Args:
            floor: It is followed no further than to a token less probable than this.
        """
        plain = all(type(layer) is KVCache for layer in self._cache)
        cache = self._cache if plain else copy.deepcopy(self._cache)
        held = cache[0].offset
        try:
            return self._follow(ids, cache, floor, longest)
        finally:
            if plain:
                rewind(cache, held)

    def _follow(
        self, ids: Sequence[int], cache: Sequence[KVCache], floor: float, longest: int
    ) -> Forced:
        logits = prefill(self._model, ids, cache)
        self.tokens += len(ids)
        answer: list[int] = []
        probabilities: list[float] = []
        entropy = 0.0
        while logits is not None:
            token, probability, uncertainty = self._likeliest(logits)
            probabilities.append(probability)
            entropy = max(entropy, uncertainty)
            if token in self._ends:
                break
            answer.append(token)
            if probability < floor or len(answer) == longest:
                break
            logits = self._model.next_logits(mx.array([token]), cache)
            self.tokens += 1
        return Forced(tuple(answer), tuple(probabilities), entropy)

    def _likeliest(self, logits: mx.array) -> tuple[int, float, float]:
        """The best token of logits [1, V], its probability, and the entropy of all."""
        allowed = mask_ids(logits.astype(mx.float32), self._vocab_size, ())[0]
        logs = allowed - mx.logsumexp(allowed)
        shares = mx.exp(logs)
        entropy = -mx.where(shares > 0, shares * logs, 0).sum()
        best = mx.argmax(logs)
        mx.eval(best, entropy)
        token = cast(int, best.item())
        return token, cast(float, shares[token].item()), cast(float, entropy.item())
