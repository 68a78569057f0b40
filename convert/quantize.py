"""Rows of numbers to what the destination stores of them.

Knows MLX's formats and what may not be stored. Does not read or write files. Numbers are
rounded in their own dtype, as mlx-lm does it.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.convert.writer import StoredTensor
from qwen3_mlx.errors import NonFiniteError

PARTS = ("weight", "scales", "biases")

# NaN and infinity are the numbers whose exponent has every bit set (IEEE 754). Looking at the
# bits is four times as fast as mx.isfinite, which takes longer than the rounding itself.
EXPONENTS = {
    mx.bfloat16: (mx.uint16, 0x7F80),
    mx.float16: (mx.uint16, 0x7C00),
    mx.float32: (mx.uint32, 0x7F800000),
}


def stored_tensors(
    path: str, shape: tuple[int, ...], dtype: mx.Dtype, spec: QuantSpec
) -> tuple[StoredTensor, ...]:
    """What a quantized weight of `shape` is stored as: packed weight, scales and maybe biases.

    Affine scales and biases keep the weight's dtype and hold one number for each group of a row;
    the scales of other modes are bytes, and there are no biases.
    """
    *rows, width = shape
    weight = StoredTensor(f"{path}.weight", mx.uint32, (*rows, width * spec.bits // 32))
    groups = (*rows, width // spec.group_size)
    if spec.mode != "affine":
        return weight, StoredTensor(f"{path}.scales", mx.uint8, groups)
    scales, biases = (StoredTensor(f"{path}.{part}", dtype, groups) for part in PARTS[1:])
    return weight, scales, biases


def quantize(rows: mx.array, spec: QuantSpec) -> dict[str, mx.array]:
    """Round rows [n, width] to `spec.bits` bits: its parts by name."""
    arrays = mx.quantize(rows, group_size=spec.group_size, bits=spec.bits, mode=spec.mode)
    return dict(zip(PARTS, arrays, strict=False))


def check_finite(numbers: mx.array, tensor: str) -> None:
    """Refuse NaN and infinity, in the source's numbers or in what became of them.

    Args:
        numbers: Of the source, or made from it: cast, or scales and biases. Integers pass.
        tensor: The source's name for it.

    Raises:
        NonFiniteError: A number is NaN or infinite.
    """
    if numbers.dtype not in EXPONENTS:
        return
    bits, exponent = EXPONENTS[numbers.dtype]
    # The largest exponent is found several times faster than each is compared.
    if (numbers.view(bits) & exponent).max().item() == exponent:
        raise NonFiniteError(
            f"the tensor {tensor} holds NaN, infinite or far too large numbers",
            hint="The source is damaged: fetch or export it again.",
        )
