"""GGML's blocks of numbers: a few bytes of scales, then the numbers' bits.

Knows the layout of each kind and computes as GGML's own reference does, in float32 and in the same
order. Does not know files.

Format: https://github.com/ggml-org/ggml/blob/master/src/ggml-common.h
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx

# Bytes [blocks, bytes of one] to numbers [blocks, numbers of one].
Decoder = Callable[[mx.array], mx.array]


@dataclass(frozen=True)
class Kind:
    """One kind of block.

    Attributes:
        code: GGML's number for it.
        numbers: In one block.
        nbytes: Of one block.
    """

    code: int
    numbers: int
    nbytes: int
    decode: Decoder


def _halves(blocks: mx.array, at: int) -> mx.array:
    """The float16 at a byte of each block, [blocks, 1]."""
    return _view(blocks[:, at : at + 2], mx.float16).astype(mx.float32)


def _view(data: mx.array, dtype: mx.Dtype) -> mx.array:
    return mx.contiguous(data).view(dtype)


def _planes(data: mx.array, shifts: Sequence[int], mask: int, span: int) -> mx.array:
    """Small integers of which each byte holds several.

    Of each `span` bytes come first the integers at the first shift, then those at the next.

    Returns:
        uint8 [blocks, bytes * len(shifts)].
    """
    spans = data.reshape(len(data), -1, 1, span)
    planes = spans >> mx.array(list(shifts), mx.uint8)[:, None] & mx.array(mask, mx.uint8)
    return planes.reshape(len(data), -1)


def _nibbles(data: mx.array, span: int) -> mx.array:
    return _planes(data, (0, 4), 15, span)


def _floats(data: mx.array) -> mx.array:
    return data.astype(mx.float32)


def _q4_0(blocks: mx.array) -> mx.array:
    return _halves(blocks, 0) * (_floats(_nibbles(blocks[:, 2:], 16)) - 8)


def _q4_1(blocks: mx.array) -> mx.array:
    return _halves(blocks, 0) * _floats(_nibbles(blocks[:, 4:], 16)) + _halves(blocks, 2)


def _five_bits(high: mx.array, low: mx.array) -> mx.array:
    """Four bits of each number in `low`, and the fifth, number after number, in `high`."""
    fifth = _planes(high, range(8), 1, 1)
    return _floats(_nibbles(low, 16) | fifth << 4)


def _q5_0(blocks: mx.array) -> mx.array:
    return _halves(blocks, 0) * (_five_bits(blocks[:, 2:6], blocks[:, 6:]) - 16)


def _q5_1(blocks: mx.array) -> mx.array:
    return _halves(blocks, 0) * _five_bits(blocks[:, 4:8], blocks[:, 8:]) + _halves(blocks, 2)


def _q8_0(blocks: mx.array) -> mx.array:
    return _floats(_view(blocks[:, 2:], mx.int8)) * _halves(blocks, 0)


def _scaled_with_minimum(blocks: mx.array, codes: mx.array) -> mx.array:
    """Eight groups of 32 with a scale and a minimum each, both of 6 bits (Q4_K and Q5_K).

    Twelve bytes hold them: the scales of the first four groups, the minima of the first four, and
    the low four bits of both for the others, whose high two bits are above the first eight.
    """
    first, second, third = blocks[:, 4:8], blocks[:, 8:12], blocks[:, 12:16]
    scales = mx.concatenate([first & 63, third & 15 | first >> 6 << 4], axis=1)
    minima = mx.concatenate([second & 63, third >> 4 | second >> 6 << 4], axis=1)
    scale = (_halves(blocks, 0) * _floats(scales))[..., None]
    minimum = (_halves(blocks, 2) * _floats(minima))[..., None]
    return (scale * _floats(codes).reshape(-1, 8, 32) - minimum).reshape(-1, 256)


def _q4_k(blocks: mx.array) -> mx.array:
    return _scaled_with_minimum(blocks, _nibbles(blocks[:, 16:], 32))


def _q5_k(blocks: mx.array) -> mx.array:
    fifth = _planes(blocks[:, 16:48], range(8), 1, 32)
    return _scaled_with_minimum(blocks, _nibbles(blocks[:, 48:], 32) | fifth << 4)


def _q6_k(blocks: mx.array) -> mx.array:
    """Sixteen groups of 16 with a scale of 8 bits each."""
    high = _planes(blocks[:, 128:192], (0, 2, 4, 6), 3, 32)
    codes = _floats(_nibbles(blocks[:, :128], 64) | high << 4) - 32
    scales = _halves(blocks, 208) * _floats(_view(blocks[:, 192:208], mx.int8))
    return (scales[..., None] * codes.reshape(-1, 16, 16)).reshape(-1, 256)


KINDS = {
    "F32": Kind(0, 1, 4, lambda blocks: blocks.view(mx.float32)),
    "F16": Kind(1, 1, 2, lambda blocks: blocks.view(mx.float16)),
    "BF16": Kind(30, 1, 2, lambda blocks: blocks.view(mx.bfloat16)),
    "Q4_0": Kind(2, 32, 18, _q4_0),
    "Q4_1": Kind(3, 32, 20, _q4_1),
    "Q5_0": Kind(6, 32, 22, _q5_0),
    "Q5_1": Kind(7, 32, 24, _q5_1),
    "Q8_0": Kind(8, 32, 34, _q8_0),
    "Q4_K": Kind(12, 256, 144, _q4_k),
    "Q5_K": Kind(13, 256, 176, _q5_k),
    "Q6_K": Kind(14, 256, 210, _q6_k),
}
