"""Numbers that were learned, on their way through the same writer and checks as all others.

Knows what is stored of a quantized model, and that it is to stay as it is to the last bit. Does
not know how it was learned.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.convert.plan import Plan, Shard, Target
from qwen3_mlx.convert.sources import Rows, Source
from qwen3_mlx.convert.writer import StoredTensor
from qwen3_mlx.model import Qwen3Config


def as_stored(plan: Plan) -> Plan:
    """The same files, in which every packed weight, scale and bias is a tensor of its own."""
    shards = tuple(Shard(s.name, tuple(map(_as_it_is, s.stored))) for s in plan.shards)
    return Plan(plan.recipe, shards)


def _as_it_is(tensor: StoredTensor) -> Target:
    return Target(tensor.name, tensor.shape, tensor.dtype, (_all_rows(tensor),), None)


def _all_rows(tensor: StoredTensor) -> Rows:
    return Rows(tensor.name, 0, math.prod(tensor.shape[:-1]))


class LearnedSource:
    """What was learned of a model, as a source of `as_stored` plans. Implements `Source`.

    Args:
        plan: What is stored of the model.
        original: What it was learned from.
        arrays: What was learned, by the names of the stored tensors, in their dtypes.
    """

    def __init__(self, plan: Plan, original: Source, arrays: Mapping[str, mx.array]) -> None:
        self.config: Qwen3Config = original.config
        self.raw_config = original.raw_config
        self.files: tuple[Path, ...] = ()
        self.warnings: tuple[str, ...] = ()
        self.companions = original.companions
        self._stored = {t.name: t for shard in plan.shards for t in shard.stored}
        self._arrays = arrays

    def rows(self, name: str) -> tuple[Rows, ...]:
        return (_all_rows(self._stored[name]),)

    def files_of(self, tensor: str) -> frozenset[Path]:
        """None, whichever the tensor: everything is in memory."""
        del tensor
        return frozenset()

    def dtype(self, tensor: str) -> mx.Dtype:
        return self._stored[tensor].dtype

    def read(self, rows: Rows) -> mx.array:
        array = self._arrays[rows.tensor]
        return array.reshape(-1, array.shape[-1])[rows.start : rows.stop]

    def sha256(self) -> str:
        """Of all that was learned."""
        digest = hashlib.sha256()
        for name in sorted(self._stored):
            # MLX gives its buffer to whoever asks; its type stubs leave that out.
            digest.update(memoryview(self._arrays[name].view(mx.uint8)))  # type: ignore[arg-type]
        return digest.hexdigest()
