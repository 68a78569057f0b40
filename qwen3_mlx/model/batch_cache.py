"""Keys and values of several sequences of different lengths, one cache for each layer.

Knows how sequences are laid side by side, all ending at the same place, and how they join and
leave. Does not know which tokens they were.

A row that is shorter than the longest one begins with padding, which nothing attends to.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

from qwen3_mlx.model.cache import STEP, KVCache


class Padding:
    """Where the rows of a batch begin; what is made of that in a step is made once for all layers.

    Args:
        widths: Places at the start of each row that hold nothing.

    Attributes:
        widths: The same.
    """

    def __init__(self, widths: Sequence[int]) -> None:
        self.widths = tuple(widths)
        self._starts = mx.array(self.widths)
        self._positions = 0, -self._starts
        self._mask: tuple[tuple[int, int], mx.array] | None = None

    def positions(self, held: int) -> int | mx.array:
        """Position of the next token of each row, [B], once `held` places are taken."""
        if not any(self.widths):
            return held
        if self._positions[0] != held:
            self._positions = held, held - self._starts
        return self._positions[1]

    def mask(self, queries: int, held: int) -> mx.array | str | None:
        """Which of `held` places the last `queries` ones attend to, bool [B, 1, queries, held]."""
        if not any(self.widths):
            return "causal" if queries > 1 else None
        if self._mask is None or self._mask[0] != (queries, held):
            self._mask = (queries, held), self._make_mask(queries, held)
        return self._mask[1]

    def _make_mask(self, queries: int, held: int) -> mx.array:
        """Padding attends to itself: a softmax over nothing is not a number on some devices."""
        keys = mx.arange(held)
        begun = keys >= self._starts[:, None, None, None]
        if queries == 1:
            return begun
        places = keys[-queries:, None]
        return (keys <= places) & begun | (keys == places)


class BatchLayer:
    """Keys and values of one layer, for all rows of a batch; see :class:`LayerCache`.

    Args:
        padding: That of the batch, the same object for all layers.
    """

    def __init__(self, padding: Padding) -> None:
        self._cache = KVCache()
        self._padding = padding

    @property
    def offset(self) -> int | mx.array:
        """Position of the next token, [B] where the rows differ."""
        return self._padding.positions(self._cache.offset)

    @property
    def length(self) -> int:
        """Places taken in each row, padding included."""
        return self._cache.offset

    @property
    def buffers(self) -> list[mx.array]:
        """As :attr:`KVCache.buffers`."""
        return self._cache.buffers

    def attend(self, queries: mx.array, keys: mx.array, values: mx.array, scale: float) -> mx.array:
        """As :meth:`LayerCache.attend`."""
        keys, values = self._cache.update(keys, values)
        mask = self._padding.mask(queries.shape[2], self._cache.offset)
        mixed: mx.array = mx.fast.scaled_dot_product_attention(
            queries, keys, values, scale=scale, mask=mask
        )
        return mixed

    def row(self, row: int) -> tuple[mx.array, mx.array]:
        """Keys and values of one row without its padding, [1, kv_heads, its length, head_dim]."""
        begin = self._padding.widths[row]
        keys, values = self._cache.keys, self._cache.values
        return keys[row : row + 1, :, begin:], values[row : row + 1, :, begin:]

    def fill(self, rows: Sequence[tuple[mx.array, mx.array]]) -> None:
        """Hold these rows, as `row` gives them, and nothing else."""
        keys, values = zip(*rows, strict=True)
        length = max(part.shape[2] for part in keys)
        self._cache.give_back(_aligned(keys, length), _aligned(values, length), length)


class BatchCache:
    """The caches of all layers for one batch of sequences.

    Args:
        layers: How many the network has.
        lengths: Of the sequences that the rows are to hold.

    Attributes:
        layers: What the network is given.
    """

    def __init__(self, layers: int, lengths: Sequence[int]) -> None:
        longest = max(lengths)
        self._padding = Padding([longest - length for length in lengths])
        self.layers = [BatchLayer(self._padding) for _ in range(layers)]

    def length(self, row: int) -> int:
        """Tokens held of one row."""
        return self.layers[0].length - self._padding.widths[row]

    def beginning(self, row: int, length: int) -> BatchCache:
        """Another cache, of the first `length` tokens of one row alone."""
        part = BatchCache(len(self.layers), [length])
        for layer, other in zip(part.layers, self.layers, strict=True):
            keys, values = other.row(row)
            layer.fill([(keys[:, :, :length], values[:, :, :length])])
        mx.eval([layer.buffers for layer in part.layers])  # or it would keep all rows alive
        return part


def side_by_side(places: Sequence[tuple[BatchCache, int]]) -> BatchCache:
    """A cache of rows out of others, in that order, with no more padding than they need.

    Args:
        places: Caches of the same network, and the number of a row in each; at least one.
    """
    depth = len(places[0][0].layers)
    together = BatchCache(depth, [cache.length(row) for cache, row in places])
    for number, layer in enumerate(together.layers):
        layer.fill([cache.layers[number].row(row) for cache, row in places])
    return together


def with_room(length: int) -> int:
    """Places that a cache makes for a row of `length` tokens and the next ones."""
    return (length // STEP + 1) * STEP


def _aligned(rows: Sequence[mx.array], length: int) -> mx.array:
    """Rows [1, heads, n, dims] of different n, ending at the same place, with room after it."""
    _, heads, _, dims = rows[0].shape
    buffer = mx.zeros((len(rows), heads, with_room(length), dims), dtype=rows[0].dtype)
    for number, row in enumerate(rows):
        buffer[number : number + 1, :, length - row.shape[2] : length] = row
    return buffer
