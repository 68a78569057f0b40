"""GPTQ: 4 or 8 bits a weight, with each input's group named where they were reordered.

Knows AutoGPTQ's layout, in which a matrix stands transposed: `qweight` [inputs * bits / 32,
outputs], `qzeros` [groups, outputs * bits / 32], `scales` [groups, outputs] and perhaps `g_idx`
[inputs] ("act-order"). The format `gptq` stores a zero point less one, `gptq_v2` as it is. Does not
know which tensors a network needs.

Format: https://github.com/AutoGPTQ/AutoGPTQ, auto_gptq/nn_modules/qlinear/qlinear_cuda.py
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import FLOATS, ExpectedTensor
from qwen3_mlx.checkpoint.origins import check_tensor
from qwen3_mlx.checkpoint.reader import read_tensor
from qwen3_mlx.convert.sources.awq import matrix_shape
from qwen3_mlx.convert.sources.base import Tensor
from qwen3_mlx.convert.sources.integers import WORD_BITS, column_groups, scaled, unpack
from qwen3_mlx.convert.sources.safetensors import WholeTensor
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.model.fields import Fields

BITS = (4, 8)
# What is added to a stored zero point.
ZERO_OFFSETS = {"gptq": 1, "gptq_v2": 0}
CODES, ZEROS, SCALES, GROUPS = PARTS = (".qweight", ".qzeros", ".scales", ".g_idx")


@dataclass(frozen=True)
class GptqFormat:
    """What `quantization_config` says of every matrix.

    Attributes:
        group_size: Inputs that share a scale; -1 for all of them.
        zero_offset: What is added to a stored zero point.
    """

    bits: int
    group_size: int
    zero_offset: int

    @property
    def per_word(self) -> int:
        """Integers in a word."""
        return WORD_BITS // self.bits

    def unpack(self, words: mx.array) -> mx.array:
        """The integers in words [n, m], in order, [n, m * per_word]."""
        return unpack(words, range(0, WORD_BITS, self.bits), self.bits)


@dataclass(frozen=True)
class GptqTensor:
    """A matrix in groups of inputs. Implements `Tensor`.

    Attributes:
        groups: The group of each input; None where they lie one after another.
    """

    info: TensorInfo
    codes: TensorInfo
    zeros: TensorInfo
    scales: TensorInfo
    groups: TensorInfo | None
    form: GptqFormat

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        return tuple(p for p in (self.codes, self.zeros, self.scales, self.groups) if p)

    def read(self, start: int, stop: int) -> mx.array:
        codes = self.form.unpack(mx.contiguous(read_tensor(self.codes)[:, start:stop].T))
        scales = read_tensor(self.scales)[:, start:stop].T
        return scaled(codes, self._zeros(start, stop), scales, self._group_of())

    def _zeros(self, start: int, stop: int) -> mx.array:
        zeros = self.form.unpack(read_tensor(self.zeros))[:, start:stop]
        return zeros.T + self.form.zero_offset

    def _group_of(self) -> mx.array:
        if self.groups is None:
            return column_groups(self.info.shape[1], self.form.group_size)
        groups = read_tensor(self.groups)
        if groups.min().item() < 0 or groups.max().item() >= self.scales.shape[0]:  # type: ignore[operator]
            raise ModelFileError(
                f"{self.groups.file}: the tensor {self.groups.name} names groups that are not there"
            )
        return groups


def gptq_tensors(settings: Fields, tensors: Mapping[str, TensorInfo]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, those in GPTQ put together.

    Args:
        settings: `quantization_config`.
        tensors: What the files hold.

    Raises:
        UnsupportedModelError: Other bits than 4 and 8, or another layout.
        ModelFileError: A part is missing or of another shape.
    """
    form = _read_format(settings)
    paths = [name.removesuffix(CODES) for name in tensors if name.endswith(CODES)]
    parts = {path + part for path in paths for part in PARTS}
    found: dict[str, Tensor] = {
        name: WholeTensor(info) for name, info in tensors.items() if name not in parts
    }
    return found | {f"{path}.weight": _tensor(path, form, tensors) for path in paths}


def _read_format(settings: Fields) -> GptqFormat:
    bits = settings.integer("bits", 1, 32)
    if bits not in BITS:
        raise UnsupportedModelError(f"{settings.describe('bits')} is not supported: only 4 and 8")
    name = settings.text("checkpoint_format", default="gptq")
    if name not in ZERO_OFFSETS:
        raise UnsupportedModelError(
            f"{settings.describe('checkpoint_format')} is not supported",
            hint=f"Supported: {', '.join(ZERO_OFFSETS)}.",
        )
    return GptqFormat(bits, settings.integer("group_size", -1, 2**20), ZERO_OFFSETS[name])


def _tensor(path: str, form: GptqFormat, tensors: Mapping[str, TensorInfo]) -> GptqTensor:
    rows, outputs = matrix_shape(tensors[path + CODES])
    inputs = rows * form.per_word
    sized = form if form.group_size > 0 else replace(form, group_size=max(inputs, 1))
    _check_parts(path, sized, (outputs, inputs), tensors)
    codes, zeros, scales = (tensors[path + part] for part in (CODES, ZEROS, SCALES))
    name, groups = f"{path}.weight", tensors.get(path + GROUPS)
    info = replace(codes, name=name, shape=(outputs, inputs), dtype=scales.dtype)
    return GptqTensor(info, codes, zeros, scales, groups, sized)


def _check_parts(
    path: str, form: GptqFormat, shape: tuple[int, int], tensors: Mapping[str, TensorInfo]
) -> None:
    outputs, inputs = shape
    groups = -(-inputs // form.group_size)
    expected = {
        CODES: ExpectedTensor((inputs // form.per_word, outputs), ("I32",)),
        ZEROS: ExpectedTensor((groups, outputs // form.per_word), ("I32",)),
        SCALES: ExpectedTensor((groups, outputs), FLOATS),
    }
    if path + GROUPS in tensors:
        expected[GROUPS] = ExpectedTensor((inputs,), ("I32",))
    for part, wanted in expected.items():
        check_tensor(path + part, wanted, tensors)
