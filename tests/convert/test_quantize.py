"""Rounding, worked out on paper."""

from __future__ import annotations

import math

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.convert.quantize import check_finite, quantize, stored_tensors
from qwen3_mlx.errors import NonFiniteError


def test_a_ramp_keeps_every_number() -> None:
    """32 numbers 0 to 15, twice: sixteen steps of one, so the codes are the numbers.

    MLX starts from the end that is further from zero: the scale is -1, the bias 15, and the
    code of x is 15 - x. Eight 4-bit codes go into a word, the first one lowest.
    """
    row = mx.array([list(range(16)) * 2], mx.float32)
    stored = quantize(row, QuantSpec("affine", 4, 32))
    assert stored["scales"].tolist() == [[-1.0]]
    assert stored["biases"].tolist() == [[15.0]]
    words = [0x89ABCDEF, 0x01234567]
    assert stored["weight"].tolist() == [words * 2]


def test_what_is_stored() -> None:
    """Six-bit weights of 64 numbers take 12 words; two groups of 32 have a scale each."""
    stored = stored_tensors("a.b", (3, 5, 64), mx.bfloat16, QuantSpec("affine", 6, 32))
    assert [(t.name, t.dtype, t.shape) for t in stored] == [
        ("a.b.weight", mx.uint32, (3, 5, 12)),
        ("a.b.scales", mx.bfloat16, (3, 5, 2)),
        ("a.b.biases", mx.bfloat16, (3, 5, 2)),
    ]


def test_micro_scaled_formats_have_scales_of_a_byte_and_no_biases() -> None:
    """Four bits and a scale for every 32 numbers, which is a power of two."""
    spec = QuantSpec("mxfp4", 4, 32)
    stored = stored_tensors("a.b", (5, 64), mx.bfloat16, spec)
    assert [(t.name, t.dtype, t.shape) for t in stored] == [
        ("a.b.weight", mx.uint32, (5, 8)),
        ("a.b.scales", mx.uint8, (5, 2)),
    ]
    rounded = quantize(mx.ones((5, 64), mx.bfloat16), spec)
    assert {name: part.shape for name, part in rounded.items()} == {
        "weight": (5, 8),
        "scales": (5, 2),
    }


@given(
    st.lists(st.floats(-100, 100, width=16), min_size=64, max_size=64),
    st.sampled_from([4, 8]),
    st.sampled_from([32, 64]),
)
@settings(deadline=None)
def test_no_number_moves_by_more_than_a_step(
    numbers: list[float], bits: int, group_size: int
) -> None:
    """Half a step by rounding, and half a step since zero is kept exact by moving the bias."""
    rows = mx.array([numbers], mx.float32)
    spec = QuantSpec("affine", bits, group_size)
    stored = quantize(rows, spec)
    weight, scales, biases = (stored[name] for name in ("weight", "scales", "biases"))
    back = mx.dequantize(weight, scales, biases, group_size=group_size, bits=bits)
    moved = mx.abs(back - rows).reshape(-1, group_size)
    steps = mx.abs(scales).reshape(-1, 1)
    assert bool(mx.all(moved <= steps * 1.01 + 1e-6).item())


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16, mx.float32])
@pytest.mark.parametrize("number", [math.nan, -math.nan, math.inf, -math.inf])
def test_a_number_that_is_none_is_refused_by_the_tensors_name(
    number: float, dtype: mx.Dtype
) -> None:
    rows = mx.array([[1.0, number]], dtype)
    with pytest.raises(NonFiniteError, match=r"model\.norm\.weight"):
        check_finite(rows, "model.norm.weight")


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16, mx.float32])
def test_the_largest_numbers_are_finite(dtype: mx.Dtype) -> None:
    largest = mx.finfo(dtype).max
    check_finite(mx.array([[largest, -largest, 0.0, -0.0]], dtype), "model.norm.weight")
