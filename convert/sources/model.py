"""A source put together from its tensors: checked against the config, experts found.

Knows which tensors a network needs. Does not know how any of them is packed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.checkpoint.load import place_tensors
from qwen3_mlx.checkpoint.origins import Origin
from qwen3_mlx.checkpoint.reader import DTYPES
from qwen3_mlx.convert.sources.base import Rows, Tensor
from qwen3_mlx.model import Qwen3Config


class ModelSource:
    """A model whose tensors and config have been found to agree. Implements `Source`.

    Args:
        where: The folder or file, for error messages.
        raw_config: As `Source.raw_config`.
        tensors: What the files hold, under the names of a published or an MLX checkpoint.
        files: As `Source.files`.
        companions: As `Source.companions`.
        warnings: As `Source.warnings`.
        take: Called with a file before numbers are read from it; None where all are there.

    Raises:
        UnsupportedModelError: The config asks for something that is not implemented.
        ModelFileError: The config is damaged, or a tensor is missing, of another shape or too many.
    """

    def __init__(
        self,
        where: Path,
        raw_config: Mapping[str, object],
        tensors: Mapping[str, Tensor],
        *,
        files: tuple[Path, ...],
        companions: Callable[[], dict[str, bytes]],
        warnings: tuple[str, ...] = (),
        take: Callable[[Path], None] | None = None,
    ) -> None:
        self.raw_config = raw_config
        self.config = Qwen3Config.from_hf(raw_config)
        self.files = files
        self.companions = companions
        self.warnings = warnings
        self._tensors = tensors
        self._take = take
        infos = {name: tensor.info for name, tensor in tensors.items()}
        self._origins = place_tensors(where, self.config, expected_tensors(self.config, {}), infos)

    def rows(self, name: str) -> tuple[Rows, ...]:
        origin = self._origins[name]
        if origin.part in ("first half", "second half"):
            return _halves(origin, self._tensors[origin.names[0]].info)
        return tuple(_all_rows(self._tensors[tensor].info) for tensor in origin.names)

    def files_of(self, tensor: str) -> frozenset[Path]:
        return frozenset(part.file for part in self._tensors[tensor].parts)

    def dtype(self, tensor: str) -> mx.Dtype:
        return DTYPES[self._tensors[tensor].info.dtype]

    def read(self, rows: Rows) -> mx.array:
        if self._take is not None:
            for file in sorted(self.files_of(rows.tensor)):
                self._take(file)
        return self._tensors[rows.tensor].read(rows.start, rows.stop)


def _all_rows(info: TensorInfo) -> Rows:
    return Rows(info.name, 0, math.prod(info.shape[:-1]))


def _halves(origin: Origin, info: TensorInfo) -> tuple[Rows, ...]:
    """One half of each expert's rows in a tensor [experts, 2 * height, width]."""
    experts, both, _ = info.shape
    height = both // 2
    first = 0 if origin.part == "first half" else height
    starts = range(first, first + experts * both, both)
    return tuple(Rows(info.name, start, start + height) for start in starts)
