"""Keys and values of the tokens a model has read, one cache for each layer.

Knows how to grow and to go back. Does not know which tokens they were.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from qwen3_mlx.model.config import Qwen3Config

STEP = 256


class KVCache:
    """Keys and values of one layer, in buffers that grow by steps of 256 tokens.

    Attributes:
        offset: Tokens held, which is also the position of the next one.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._keys: mx.array | None = None
        self._values: mx.array | None = None

    def update(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Append L tokens to the T held, and return all T + L.

        Args:
            keys: [B, kv_heads, L, head_dim]; so are the values.
        """
        start, self.offset = self.offset, self.offset + keys.shape[2]
        self._keys = _write(self._keys, keys, start)
        self._values = _write(self._values, values, start)
        return self.keys, self.values

    @property
    def keys(self) -> mx.array:
        """All keys held, [B, kv_heads, offset, head_dim]; ValueError before the first update."""
        return _held(self._keys, self.offset)

    @property
    def values(self) -> mx.array:
        """All values held, [B, kv_heads, offset, head_dim]; ValueError before the first update."""
        return _held(self._values, self.offset)

    @property
    def buffers(self) -> list[mx.array]:
        """Both buffers, with room for tokens to come; none before the first update."""
        return [part for part in (self._keys, self._values) if part is not None]

    @property
    def nbytes(self) -> int:
        """Memory of both buffers, in bytes."""
        return sum(part.nbytes for part in self.buffers)

    def rewind(self, length: int) -> None:
        """Keep only the first ``length`` tokens; ValueError if there are not so many."""
        if not 0 <= length <= self.offset:
            raise ValueError(f"cannot rewind a cache of {self.offset} tokens to {length}")
        self.offset = length


def make_cache(config: Qwen3Config) -> list[KVCache]:
    """One empty cache for each layer of a model."""
    return [KVCache() for _ in range(config.num_hidden_layers)]


def rewind(cache: Sequence[KVCache], length: int) -> None:
    """Take all layers back to their first ``length`` tokens."""
    for layer in cache:
        layer.rewind(length)


def settle(cache: Sequence[KVCache]) -> None:
    """Compute all that was written, also what was taken back since.

    MLX computes numbers only in the thread that asked for them; what is there any thread can use.
    """
    mx.eval([layer.buffers for layer in cache])


def _held(buffer: mx.array | None, length: int) -> mx.array:
    if buffer is None:
        raise ValueError("the cache is empty")
    return buffer[..., :length, :]


def _write(buffer: mx.array | None, new: mx.array, start: int) -> mx.array:
    stop = start + new.shape[2]
    buffer = _grown(buffer, new, start, stop)
    buffer[..., start:stop, :] = new
    return buffer


def _grown(buffer: mx.array | None, like: mx.array, start: int, stop: int) -> mx.array:
    if buffer is not None and stop <= buffer.shape[2]:
        return buffer
    batch, heads, _, dims = like.shape
    room = -(-(stop - start) // STEP) * STEP
    fresh = mx.zeros((batch, heads, room, dims), dtype=like.dtype)
    return fresh if buffer is None else mx.concatenate([buffer[..., :start, :], fresh], axis=2)
