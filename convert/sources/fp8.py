"""Qwen's FP8: one byte a weight, and one scale for each block of 128 rows by 128 columns.

Knows how it is stored: `weight` in float8_e4m3fn beside `weight_scale_inv`, which in spite of its
name is what the weight is multiplied by. Does not know which tensors a network needs.

Format: https://huggingface.co/docs/transformers/quantization/finegrained_fp8
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import FLOATS, ExpectedTensor
from qwen3_mlx.checkpoint.origins import check_tensor
from qwen3_mlx.checkpoint.reader import read_rows
from qwen3_mlx.convert.sources.base import Tensor
from qwen3_mlx.convert.sources.safetensors import WholeTensor
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.model.fields import Fields

BLOCK = 128
SCALES = "_scale_inv"
CODES = "F8_E4M3"


@dataclass(frozen=True)
class Fp8Tensor:
    """Blocks of codes that share a scale. Implements `Tensor`.

    Attributes:
        codes: [..., height, width].
        scales: [..., ceil(height / 128), ceil(width / 128)].
    """

    info: TensorInfo
    codes: TensorInfo
    scales: TensorInfo

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        return self.codes, self.scales

    def read(self, start: int, stop: int) -> mx.array:
        numbers = from_e4m3(read_rows(self.codes, start, stop))
        return numbers * self._scales(start, stop)[:, : self.codes.shape[-1]]

    def _scales(self, start: int, stop: int) -> mx.array:
        """The scale of each number, [stop - start, at least width]."""
        wanted = [self._scale_row(row) for row in range(start, stop)]
        first, last = wanted[0], wanted[-1]
        scales = read_rows(self.scales, first, last + 1).astype(mx.float32)
        per_row = mx.take(scales, mx.array(wanted) - first, axis=0)
        return mx.repeat(per_row, BLOCK, axis=1)

    def _scale_row(self, row: int) -> int:
        matrix, row_of_matrix = divmod(row, self.codes.shape[-2])
        return matrix * self.scales.shape[-2] + row_of_matrix // BLOCK


def from_e4m3(codes: mx.array) -> mx.array:
    """The numbers that float8_e4m3fn codes (uint8) stand for, in float32.

    Float16 has the same sign and one exponent bit more, and its exponents are biased by 15 and
    not by 7: a code's bits in their places there mean 2^-8 of the number.
    """
    bits = codes.astype(mx.uint16)
    magnitude = bits & 0x7F
    halves = ((bits & 0x80) << 8 | magnitude << 7).view(mx.float16)
    return mx.where(magnitude == 0x7F, math.nan, halves.astype(mx.float32) * 2**8)


def fp8_tensors(
    settings: Fields, tensors: Mapping[str, TensorInfo], dtype: str
) -> dict[str, Tensor]:
    """The tensors of a checkpoint, those in FP8 with their scales.

    Args:
        settings: `quantization_config`.
        tensors: What the files hold.
        dtype: What to write the numbers in, by safetensors' name.

    Raises:
        UnsupportedModelError: Another FP8 than in blocks of 128 by 128.
        ModelFileError: A tensor in FP8 has no scales, or some of another shape.
    """
    _check_settings(settings)
    packed = {name for name, info in tensors.items() if info.dtype == CODES}
    found: dict[str, Tensor] = {
        name: WholeTensor(info)
        for name, info in tensors.items()
        if name.removesuffix(SCALES) not in packed
    }
    return found | {name: _fp8_tensor(tensors[name], tensors, dtype) for name in packed}


def _fp8_tensor(codes: TensorInfo, tensors: Mapping[str, TensorInfo], dtype: str) -> Fp8Tensor:
    name = codes.name + SCALES
    if name not in tensors:
        raise ModelFileError(
            f"{codes.file}: the tensor {codes.name} is in FP8 and its scales, {name}, are missing",
            hint="Without them its numbers are not known: fetch the model again.",
        )
    if len(codes.shape) < 2:
        raise UnsupportedModelError(
            f"{codes.file}: the tensor {codes.name} is in FP8 and no matrix, which is not supported"
        )
    *stack, height, width = codes.shape
    blocks = (*stack, -(-height // BLOCK), -(-width // BLOCK))
    check_tensor(name, ExpectedTensor(blocks, FLOATS), tensors)
    return Fp8Tensor(replace(codes, dtype=dtype), codes, tensors[name])


def _check_settings(settings: Fields) -> None:
    if settings.text("fmt", default="e4m3") != "e4m3":
        raise UnsupportedModelError(f"{settings.describe('fmt')} is not supported: only e4m3")
    if "weight_block_size" not in settings:
        raise UnsupportedModelError("config.json: FP8 without weight_block_size is not supported")
    if settings.sequence("weight_block_size") != [BLOCK, BLOCK]:
        raise UnsupportedModelError(
            f"{settings.describe('weight_block_size')} is not supported: only [{BLOCK}, {BLOCK}]"
        )
