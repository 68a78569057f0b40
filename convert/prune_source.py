"""A model without some of its experts: the same stored tensors with fewer rows.

Knows which rows of a checkpoint's files belong to which expert, packed or not. Does not know how
experts are chosen, and rounds nothing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.load import Checkpoint
from qwen3_mlx.checkpoint.origins import Origin
from qwen3_mlx.checkpoint.reader import DTYPES, read_rows
from qwen3_mlx.convert.companions import read_companions
from qwen3_mlx.convert.sources import Rows

OF_EXPERTS = re.compile(r"model\.layers\.(\d+)\.mlp\.(?:gate|switch_mlp\.\w+)\.\w+")


class PrunedSource:
    """What is stored of a checkpoint, without some experts. Implements `Source`.

    Its tensors have the names of the stored ones: a packed weight, its scales and its biases are
    three, and what is read is what stands in the file. So does `raw_config`.

    Args:
        folder: The model's.
        checkpoint: What is in it.
        kept: The experts that stay in each sparse layer, equally many, ascending.
    """

    def __init__(
        self, folder: Path, checkpoint: Checkpoint, kept: Mapping[int, Sequence[int]]
    ) -> None:
        count = len(next(iter(kept.values())))
        self.config = replace(checkpoint.config, num_experts=count)
        self.raw_config: Mapping[str, object] = checkpoint.raw_config
        self.files = tuple(sorted({info.file for info in checkpoint.tensors.values()}))
        self.warnings: tuple[str, ...] = ()
        self.companions = partial(read_companions, folder)
        self._checkpoint = checkpoint
        self._kept = kept

    def rows(self, name: str) -> tuple[Rows, ...]:
        origin = self._checkpoint.origins[name]
        layer = OF_EXPERTS.fullmatch(name)
        if layer is None:
            return (_all_rows(self._tensor(origin.names[0])),)
        return tuple(_joined(self._of_experts(origin, self._kept[int(layer[1])])))

    def _of_experts(self, origin: Origin, kept: Sequence[int]) -> Iterator[Rows]:
        if origin.part == "stack":
            for expert in kept:
                yield _all_rows(self._tensor(origin.names[expert]))
            return
        rows = _all_rows(self._tensor(origin.names[0]))
        height = rows.stop // self._checkpoint.config.num_experts
        low = height // 2 if origin.part == "second half" else 0
        high = height // 2 if origin.part == "first half" else height
        for expert in kept:
            yield Rows(rows.tensor, expert * height + low, expert * height + high)

    def files_of(self, tensor: str) -> frozenset[Path]:
        return frozenset({self._tensor(tensor).file})

    def dtype(self, tensor: str) -> mx.Dtype:
        return DTYPES[self._tensor(tensor).dtype]

    def read(self, rows: Rows) -> mx.array:
        return read_rows(self._tensor(rows.tensor), rows.start, rows.stop)

    def _tensor(self, name: str) -> TensorInfo:
        return self._checkpoint.tensors[name]


def _all_rows(info: TensorInfo) -> Rows:
    return Rows(info.name, 0, math.prod(info.shape[:-1]))


def _joined(parts: Iterable[Rows]) -> Iterator[Rows]:
    """The same rows, those that follow each other in a tensor in one piece."""
    held: Rows | None = None
    for part in parts:
        if held is None:
            held = part
        elif (held.tensor, held.stop) == (part.tensor, part.start):
            held = replace(held, stop=part.stop)
        else:
            yield held
            held = part
    if held is not None:
        yield held
