"""A key-value cache that rounds its numbers once there are many of them.

Knows how keys and values are packed, and attended to as they are. Does not know tokens.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.model.cache import KVCache, write

BITS = (4, 8)
GROUP_SIZES = (64, 32)

# Up to so many tokens a cache is small, and rounding it would save nothing worth an error.
THRESHOLD = 1024


class PackedBuffer:
    """Rounded numbers [B, kv_heads, T, head_dim] with room to grow.

    Args:
        bits: Of each number.
        group_size: Numbers along a head that share a scale.

    Attributes:
        parts: Packed numbers, scales and biases.
    """

    def __init__(self, bits: int, group_size: int) -> None:
        self._group_size = group_size
        self._bits = bits
        self.parts: list[mx.array] = []

    def append(self, numbers: mx.array, start: int) -> None:
        """Write `numbers` behind the first `start` tokens."""
        before = self.parts or (None, None, None)
        packed = mx.quantize(numbers, self._group_size, self._bits)
        self.parts = [write(part, new, start) for part, new in zip(before, packed, strict=True)]

    def numbers(self, length: int) -> mx.array:
        """The first `length` tokens, as numbers."""
        return mx.dequantize(*self._held(length), self._group_size, self._bits)

    def multiply(self, x: mx.array, length: int, *, transpose: bool) -> mx.array:
        """`x` [B, kv_heads, rows, ...] times the first `length` tokens, or their transpose."""
        held = self._held(length)
        return mx.quantized_matmul(x, *held, transpose, self._group_size, self._bits)

    def _held(self, length: int) -> tuple[mx.array, mx.array, mx.array]:
        packed, scales, biases = (part[..., :length, :] for part in self.parts)
        return packed, scales, biases


class QuantizedKVCache(KVCache):
    """Keys and values of one layer; rounded, all of them, from a number of tokens on.

    Once rounded they stay so, also after `rewind`.

    Args:
        bits: 4 or 8.
        head_dim: A multiple of 32.
        threshold: Tokens up to which they are kept whole.
    """

    def __init__(self, bits: int, head_dim: int, threshold: int = THRESHOLD) -> None:
        super().__init__()
        group_size = next(size for size in GROUP_SIZES if head_dim % size == 0)
        self._threshold = threshold
        self._packed = PackedBuffer(bits, group_size), PackedBuffer(bits, group_size)

    @property
    def rounded(self) -> bool:
        """Whether there have been enough tokens."""
        return bool(self._packed[0].parts)

    @property
    def buffers(self) -> list[mx.array]:
        """All buffers, with room for tokens to come; none before the first update."""
        return [part for packed in self._packed for part in packed.parts] or super().buffers

    @property
    def keys(self) -> mx.array:
        """All keys held, as numbers; see :attr:`KVCache.keys`."""
        return self._packed[0].numbers(self.offset) if self.rounded else super().keys

    @property
    def values(self) -> mx.array:
        """All values held, as numbers; see :attr:`KVCache.values`."""
        return self._packed[1].numbers(self.offset) if self.rounded else super().values

    def attend(self, queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
        """As :meth:`LayerCache.attend`."""
        if not self.rounded and self.offset + keys.shape[2] <= self._threshold:
            return super().attend(queries, keys, values, scale)
        self._append(keys, values)
        return self._mix(queries * scale)

    def _append(self, keys: mx.array, values: mx.array) -> None:
        start, self.offset = self.offset, self.offset + keys.shape[2]
        whole, rounded = super().buffers, self.rounded
        for i, (packed, new) in enumerate(zip(self._packed, (keys, values), strict=True)):
            if whole and not rounded:
                packed.append(whole[i][..., :start, :], 0)
            packed.append(new, start)
        self._keys = self._values = None

    def _mix(self, queries: mx.array) -> mx.array:
        """Scaled queries [B, heads, Q, head_dim] over all that is held -> the same shape.

        The heads that share keys are rows of one product, so that no key is unpacked twice.
        """
        batch, heads, length, dims = queries.shape
        keys, values = self._packed
        kv_heads = keys.parts[0].shape[1]
        rows = queries.reshape(batch, kv_heads, -1, dims)
        scores = keys.multiply(rows, self.offset, transpose=True)
        scores = scores.reshape(batch, heads, length, self.offset)
        if length > 1:
            scores = mx.where(self._causal(length), scores, -mx.inf)
        weights = mx.softmax(scores, axis=-1, precise=True)
        weights = weights.reshape(batch, kv_heads, -1, self.offset)
        return values.multiply(weights, self.offset, transpose=False).reshape(queries.shape)

    def _causal(self, length: int) -> mx.array:
        """Which of the tokens held the last `length` ones see, bool [length, offset]."""
        tokens = mx.arange(self.offset)
        return tokens <= tokens[-length:, None]
