"""Tensors that stand in a safetensors file as they are.

Knows nothing but where they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.reader import read_rows


@dataclass(frozen=True)
class WholeTensor:
    """Numbers that nobody packed. Implements `Tensor`."""

    info: TensorInfo

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        return (self.info,)

    def read(self, start: int, stop: int) -> mx.array:
        return read_rows(self.info, start, stop)


def whole_tensors(tensors: Mapping[str, TensorInfo]) -> dict[str, WholeTensor]:
    """Each of a checkpoint's tensors as it is, by name."""
    return {name: WholeTensor(info) for name, info in tensors.items()}
