"""Small integers packed into 32-bit words, with a scale and a zero point for each group.

Knows what AWQ and GPTQ share. Does not know in which order either packs.
"""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx

WORD_BITS = 32


def unpack(words: mx.array, shifts: Sequence[int], bits: int) -> mx.array:
    """The integers in words [n, m], as int32 [n, m * len(shifts)].

    Args:
        words: Any 32-bit integers.
        shifts: Where in a word each of its integers begins, counted from the lowest bit.
        bits: Of one integer.
    """
    spread = words.view(mx.uint32)[..., None] >> mx.array(list(shifts), mx.uint32)
    integers: mx.array = (spread & (2**bits - 1)).astype(mx.int32)
    return integers.reshape(len(words), -1)


def scaled(codes: mx.array, zeros: mx.array, scales: mx.array, group_of: mx.array) -> mx.array:
    """The numbers that codes stand for: (code - zero) * scale, exact in float32.

    Args:
        codes: [rows, width].
        zeros: The zero point of each row's groups, [rows, groups].
        scales: Their scales, [rows, groups]; of 16 bits, so that products of 24 bits hold them.
        group_of: The group of each column, [width].
    """
    centred = codes - mx.take(zeros, group_of, axis=1)
    return centred.astype(mx.float32) * mx.take(scales.astype(mx.float32), group_of, axis=1)


def column_groups(width: int, group_size: int) -> mx.array:
    """The group of each of `width` columns when groups lie one after another."""
    return mx.arange(width) // group_size
