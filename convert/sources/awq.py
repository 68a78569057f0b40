"""AWQ: 4 bits a weight, packed eight to a word in an interleaved order.

Knows AutoAWQ's GEMM layout, in which a matrix stands transposed: `qweight` [inputs, outputs / 8],
`qzeros` [groups, outputs / 8] and `scales` [groups, outputs]. Does not know which tensors a
network needs.

Format: https://github.com/casper-hansen/AutoAWQ, awq/modules/linear/gemm.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import FLOATS, ExpectedTensor
from qwen3_mlx.checkpoint.origins import check_tensor
from qwen3_mlx.checkpoint.reader import read_tensor
from qwen3_mlx.convert.sources.base import Tensor
from qwen3_mlx.convert.sources.integers import WORD_BITS, column_groups, scaled, unpack
from qwen3_mlx.convert.sources.safetensors import WholeTensor
from qwen3_mlx.errors import UnsupportedModelError
from qwen3_mlx.model.fields import Fields

BITS = 4
PER_WORD = WORD_BITS // BITS
# Columns 0, 2, 4, 6, 1, 3, 5, 7 stand in a word from its lowest bits on.
SHIFTS = (0, 16, 4, 20, 8, 24, 12, 28)
PARTS = (".qweight", ".qzeros", ".scales")


@dataclass(frozen=True)
class AwqTensor:
    """A matrix in groups of inputs. Implements `Tensor`."""

    info: TensorInfo
    codes: TensorInfo
    zeros: TensorInfo
    scales: TensorInfo
    group_size: int

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        return self.codes, self.zeros, self.scales

    def read(self, start: int, stop: int) -> mx.array:
        groups = column_groups(self.info.shape[1], self.group_size)
        scales = read_tensor(self.scales)[:, start:stop].T
        return scaled(
            _outputs(self.codes, start, stop), _outputs(self.zeros, start, stop), scales, groups
        )


def _outputs(info: TensorInfo, start: int, stop: int) -> mx.array:
    """The integers of outputs `start` to `stop`, [stop - start, inputs or groups]."""
    first, last = start // PER_WORD, -(-stop // PER_WORD)
    integers = unpack(read_tensor(info)[:, first:last], SHIFTS, BITS)
    return integers[:, start - first * PER_WORD : stop - first * PER_WORD].T


def awq_tensors(settings: Fields, tensors: Mapping[str, TensorInfo]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, those in AWQ put together.

    Args:
        settings: `quantization_config`.
        tensors: What the files hold.

    Raises:
        UnsupportedModelError: Other bits than 4, another layout, or no zero points.
        ModelFileError: A part is missing or of another shape.
    """
    _check_settings(settings)
    group_size = settings.integer("group_size", -1, 2**20, default=128)
    paths = [name.removesuffix(PARTS[0]) for name in tensors if name.endswith(PARTS[0])]
    parts = {path + part for path in paths for part in PARTS}
    found: dict[str, Tensor] = {
        name: WholeTensor(info) for name, info in tensors.items() if name not in parts
    }
    return found | {f"{path}.weight": _tensor(path, group_size, tensors) for path in paths}


def _tensor(path: str, group_size: int, tensors: Mapping[str, TensorInfo]) -> AwqTensor:
    codes, zeros, scales = (path + part for part in PARTS)
    inputs, words = matrix_shape(tensors[codes])
    size = group_size if group_size > 0 else inputs
    groups = -(-inputs // size)
    check_tensor(codes, ExpectedTensor((inputs, words), ("I32",)), tensors)
    check_tensor(zeros, ExpectedTensor((groups, words), ("I32",)), tensors)
    check_tensor(scales, ExpectedTensor((groups, words * PER_WORD), FLOATS), tensors)
    shape, dtype = (words * PER_WORD, inputs), tensors[scales].dtype
    info = replace(tensors[codes], name=f"{path}.weight", shape=shape, dtype=dtype)
    return AwqTensor(info, tensors[codes], tensors[zeros], tensors[scales], size)


def matrix_shape(info: TensorInfo) -> tuple[int, int]:
    """Rows and columns of packed words.

    Raises:
        UnsupportedModelError: The tensor is no matrix.
    """
    if len(info.shape) != 2:
        raise UnsupportedModelError(f"{info.file}: the tensor {info.name} is no matrix")
    return info.shape[0], info.shape[1]


def _check_settings(settings: Fields) -> None:
    if settings.integer("bits", 1, 32, default=BITS) != BITS:
        raise UnsupportedModelError(f"{settings.describe('bits')} is not supported: only {BITS}")
    if settings.text("version", default="gemm").lower() != "gemm":
        raise UnsupportedModelError(f"{settings.describe('version')} is not supported: only gemm")
    if not settings.boolean("zero_point", default=True):
        raise UnsupportedModelError(f"{settings.describe('zero_point')} is not supported")
