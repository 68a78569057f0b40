"""Checkpoints that MLX has quantized already, in any of its modes.

Knows which tensors belong together. The numbers are MLX's own to compute. Does not know which
tensors a network needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import expected_tensors, module_specs
from qwen3_mlx.checkpoint.origins import check_tensor
from qwen3_mlx.checkpoint.quantization import Quantization, QuantSpec
from qwen3_mlx.checkpoint.reader import read_rows
from qwen3_mlx.convert.sources.base import Tensor
from qwen3_mlx.convert.sources.safetensors import WholeTensor
from qwen3_mlx.model import Qwen3Config

WORD_BITS = 32
TWICE_ROUNDED = (
    "The source is quantized already: what becomes of it is rounded twice, and worse than what "
    "the original weights would give."
)


@dataclass(frozen=True)
class MlxTensor:
    """A weight of a quantized module. Implements `Tensor`.

    Attributes:
        biases: None in the modes that have none.
    """

    info: TensorInfo
    codes: TensorInfo
    scales: TensorInfo
    biases: TensorInfo | None
    spec: QuantSpec

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        return tuple(part for part in (self.codes, self.scales, self.biases) if part)

    def read(self, start: int, stop: int) -> mx.array:
        return mx.dequantize(
            read_rows(self.codes, start, stop),
            self._read_floats(self.scales, start, stop),
            None if self.biases is None else self._read_floats(self.biases, start, stop),
            group_size=self.spec.group_size,
            bits=self.spec.bits,
            mode=self.spec.mode,
            dtype=mx.float32,
        )

    def _read_floats(self, info: TensorInfo, start: int, stop: int) -> mx.array:
        """Scales or biases, of 16 bits in float32: products of theirs are not rounded then."""
        numbers = read_rows(info, start, stop)
        return numbers.astype(mx.float32) if self.spec.mode == "affine" else numbers


def mlx_tensors(
    config: Qwen3Config,
    quantization: Quantization,
    tensors: Mapping[str, TensorInfo],
    dtype: str,
) -> dict[str, Tensor]:
    """The tensors of a checkpoint, those of quantized modules put together.

    Args:
        config: The network.
        quantization: What `config.json` says.
        tensors: What the files hold.
        dtype: What to write numbers in whose scales are bytes, by safetensors' name.

    Raises:
        ModelFileError: A part is missing or of another shape.
    """
    specs = module_specs(config, quantization, tensors)
    expected = expected_tensors(config, specs)
    parts = {f"{path}.{part}" for path in specs for part in ("weight", "scales", "biases")}
    for name in sorted(parts & expected.keys()):
        check_tensor(name, expected[name], tensors)
    found: dict[str, Tensor] = {
        name: WholeTensor(info) for name, info in tensors.items() if name not in parts
    }
    return found | {f"{path}.weight": _tensor(path, specs[path], tensors, dtype) for path in specs}


def _tensor(path: str, spec: QuantSpec, tensors: Mapping[str, TensorInfo], dtype: str) -> MlxTensor:
    codes, scales = tensors[f"{path}.weight"], tensors[f"{path}.scales"]
    *rows, words = codes.shape
    shape = (*rows, words * WORD_BITS // spec.bits)
    info = replace(codes, shape=shape, dtype=scales.dtype if spec.mode == "affine" else dtype)
    return MlxTensor(info, codes, scales, tensors.get(f"{path}.biases"), spec)
