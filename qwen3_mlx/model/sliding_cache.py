"""A key-value cache of bounded length: the first tokens and the last ones.

Knows which tokens are still there and which see which. Does not know what they say.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.model.cache import STEP, KVCache

# The first tokens take the attention that is meant for none: without them, what a model writes
# falls apart (StreamingLLM, arXiv 2309.17453, which keeps four).
SINKS = 4


class SlidingKVCache(KVCache):
    """Keys and values of one layer: of the first 4 tokens and of the last ones, `size` together.

    Every token keeps its position. Buffers hold up to 256 tokens more than `size`, and those of
    the last call besides.

    Args:
        size: Tokens that a token sees, itself included; more than 4.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size
        self._dropped = 0

    def attend(self, queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
        """As :meth:`LayerCache.attend`, among the tokens that are seen."""
        self._drop()
        held = self.held + keys.shape[2]
        if held <= self._size:
            return super().attend(queries, keys, values, scale)
        everything = self.update(keys, values)
        mixed: mx.array = mx.fast.scaled_dot_product_attention(
            queries, *everything, scale=scale, mask=self._seen(queries.shape[2], held)
        )
        return mixed

    @property
    def held(self) -> int:
        """Tokens that are still there."""
        return self.offset - self._dropped

    def can_rewind(self, length: int) -> bool:
        """As :meth:`KVCache.can_rewind`: not to where tokens have gone since."""
        least = self._dropped + SINKS if self._dropped else 0
        return least <= length <= self.offset

    def _drop(self) -> None:
        """Let go of what no coming token sees; before tokens come, so that they can go again."""
        excess = self.held - self._size
        if excess < STEP:
            return
        self._keys, self._values = (
            mx.concatenate([part[..., :SINKS, :], part[..., SINKS + excess :, :]], axis=2)
            for part in self.buffers
        )
        self._dropped += excess

    def _seen(self, queries: int, held: int) -> mx.array:
        """Which of the tokens there the last `queries` see, bool [queries, held]."""
        tokens = mx.arange(held)
        last = tokens[-queries:, None]
        recent = tokens > last - (self._size - SINKS)
        return (tokens <= last) & (recent | (tokens < SINKS))
