"""Keys and values of the tokens a model has read, one cache for each layer.

Knows how to grow, to go back and to be attended to. Does not know which tokens they were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import mlx.core as mx

from qwen3_mlx.model.config import Qwen3Config

STEP = 256
EMPTY = "the cache is empty"


class LayerCache(Protocol):
    """What a layer needs of its cache."""

    @property
    def offset(self) -> int | mx.array:
        """Tokens held, which is also the position of the next one; [B] where they differ."""

    def attend(self, queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
        """Append L tokens, and let the last Q of them attend to all up to themselves.

        Args:
            queries: [B, heads, Q, head_dim], Q <= L.
            keys: [B, kv_heads, L, head_dim]; so are the values.
            scale: Of the scores.

        Returns:
            [B, heads, Q, head_dim].
        """


class KVCache:
    """Keys and values of one layer, in buffers that grow by steps of 256 tokens.

    Attributes:
        offset: Tokens held, which is also the position of the next one.
    """

    def __init__(self) -> None:
        self.offset = 0
        self._keys: mx.array | None = None
        self._values: mx.array | None = None

    def attend(self, queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
        """As :meth:`LayerCache.attend`."""
        return attend(queries, *self.update(keys, values), scale)

    def update(self, keys: mx.array, values: mx.array) -> tuple[mx.array, mx.array]:
        """Append L tokens to the T held, and return all T + L.

        Args:
            keys: [B, kv_heads, L, head_dim]; so are the values.
        """
        start = self.held
        self.offset += keys.shape[2]
        self._keys = write(self._keys, keys, start)
        self._values = write(self._values, values, start)
        return self.keys, self.values

    @property
    def held(self) -> int:
        """Tokens whose keys and values are there: all of them, in a plain cache."""
        return self.offset

    @property
    def keys(self) -> mx.array:
        """All keys held, [B, kv_heads, offset, head_dim]; ValueError before the first update."""
        return _held(self._keys, self.held)

    @property
    def values(self) -> mx.array:
        """All values held, [B, kv_heads, offset, head_dim]; ValueError before the first update."""
        return _held(self._values, self.held)

    @property
    def buffers(self) -> list[mx.array]:
        """Both buffers, with room for tokens to come; none before the first update."""
        return [part for part in (self._keys, self._values) if part is not None]

    @property
    def state(self) -> dict[str, mx.array]:
        """Both buffers by name, [B, kv_heads, room, head_dim], of which `offset` tokens count.

        Raises:
            ValueError: the cache is empty.
        """
        if self._keys is None or self._values is None:
            raise ValueError(EMPTY)
        return {"keys": self._keys, "values": self._values}

    def take_over(self, state: Mapping[str, mx.array]) -> None:
        """Append tokens that another cache held: its `state`, without the room."""
        self.update(state["keys"], state["values"])

    @property
    def nbytes(self) -> int:
        """Memory of both buffers, in bytes."""
        return sum(part.nbytes for part in self.buffers)

    def lend(self, length: int) -> tuple[mx.array, mx.array]:
        """Both buffers, with room for `length` tokens, for somebody else to write to.

        From `let_go` to `give_back` they are away.

        Raises:
            ValueError: the cache is empty.
        """
        if self._keys is None or self._values is None:
            raise ValueError(EMPTY)
        missing = length - self._keys.shape[2]
        return _with_room(self._keys, missing), _with_room(self._values, missing)

    def let_go(self) -> None:
        """Refer to no buffers any more, so that MLX may write to them in place."""
        self._keys = self._values = None

    def give_back(self, keys: mx.array, values: mx.array, offset: int) -> None:
        """Take buffers back, of which the first `offset` tokens count."""
        self._keys, self._values, self.offset = keys, values, offset

    @property
    def lost(self) -> bool:
        """Whether its buffers were let go and did not come back."""
        return self.offset > 0 and not self.buffers

    def can_rewind(self, length: int) -> bool:
        """Whether it can be taken back to its first ``length`` tokens."""
        return 0 <= length <= self.offset

    def rewind(self, length: int) -> None:
        """Keep only the first ``length`` tokens; ValueError if that is not possible."""
        if not self.can_rewind(length):
            raise ValueError(f"cannot rewind a cache of {self.offset} tokens to {length}")
        self.offset = length


def attend(queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
    """The last Q of T tokens attend to all up to themselves; shapes as for `LayerCache`."""
    mask = "causal" if queries.shape[2] > 1 else None
    mixed: mx.array = mx.fast.scaled_dot_product_attention(
        queries, keys, values, scale=scale, mask=mask
    )
    return mixed


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

    Raises:
        RuntimeError: they cannot be computed in this thread, or buffers are lost.
    """
    if any(layer.lost for layer in cache):
        raise RuntimeError("buffers were let go and did not come back")
    mx.eval([layer.buffers for layer in cache])


def _held(buffer: mx.array | None, length: int) -> mx.array:
    if buffer is None:
        raise ValueError(EMPTY)
    return buffer[..., :length, :]


def write(buffer: mx.array | None, new: mx.array, start: int) -> mx.array:
    """The buffer [B, heads, room, ...] with `new` behind its first `start` tokens.

    It grows if need be; None is one without room.
    """
    stop = start + new.shape[2]
    if buffer is None:
        new = mx.contiguous(new)  # what fills a buffer exactly would keep alive what it is part of
    buffer = _grown(buffer, new, start, stop)
    buffer[..., start:stop, :] = new
    return buffer


def _grown(buffer: mx.array | None, like: mx.array, start: int, stop: int) -> mx.array:
    if buffer is not None and stop <= buffer.shape[2]:
        return buffer
    if buffer is None:
        return _zeros(like, _rounded(stop - start))
    return _with_room(buffer[..., :start, :], stop - start)


def _with_room(buffer: mx.array, more: int) -> mx.array:
    """The buffer, longer by at least `more` tokens, in whole steps."""
    if more <= 0:
        return buffer
    return mx.concatenate([buffer, _zeros(buffer, _rounded(more))], axis=2)


def _zeros(like: mx.array, length: int) -> mx.array:
    batch, heads, _, dims = like.shape
    return mx.zeros((batch, heads, length, dims), dtype=like.dtype)


def _rounded(length: int) -> int:
    return -(-length // STEP) * STEP
