"""How far a number may move when it is rounded to a format.

Knows MLX's formats. Does not know files. The bounds follow from how the formats choose their
scales (mlx/backend/cpu/quantized.cpp), with room for scales that are rounded themselves.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.checkpoint.quantization import Mode, QuantSpec

# Half the distance between neighbouring numbers, relative to them.
ROUNDOFF = {mx.bfloat16: 2.0**-8, mx.float16: 2.0**-11, mx.float32: 2.0**-24}
# The smallest scale that MLX gives to an affine group.
SMALLEST_STEP = 1e-7
# Of a group's largest number: half of the widest gap between codes (for e2m1 the one from 4 to 6,
# for e4m3 1/16), and what is lost above the largest code where a scale was rounded down.
MICRO_SCALED: dict[Mode, float] = {"mxfp4": 0.25, "mxfp8": 0.0715, "nvfp4": 0.2}
# nvfp4's scales are e4m3, whose smallest is 2**-9: weights below six times half of it become 0.
SMALLEST_NVFP4 = 6 * 2.0**-10


def allowed_error(groups: mx.array, spec: QuantSpec, dtype: mx.Dtype) -> mx.array:
    """The largest error that a format makes in each group.

    Args:
        groups: The numbers before rounding, float32 [n, group size].
        spec: The format.
        dtype: Of an affine format's scales and biases.

    Returns:
        [n], float32. An affine format's error is at most a step: half by rounding, and half since
        the scale is moved so that zero stays exact.
    """
    largest: mx.array = mx.abs(groups).max(axis=-1)
    if spec.mode != "affine":
        smallest = SMALLEST_NVFP4 if spec.mode == "nvfp4" else 0.0
        return MICRO_SCALED[spec.mode] * largest + smallest
    step = (groups.max(axis=-1) - groups.min(axis=-1)) / (2**spec.bits - 1)
    allowed: mx.array = 1.02 * step + 3 * ROUNDOFF[dtype] * largest + 1.1 * SMALLEST_STEP
    return allowed
