"""What each tensor becomes, and which file it goes into, settled before a number is read.

Knows shapes, names and sizes. Does not read numbers and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import mlx.core as mx

from qwen3_mlx.checkpoint.layout import Shape, expected_tensors
from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.convert.quantize import stored_tensors
from qwen3_mlx.convert.recipes import Recipe
from qwen3_mlx.convert.sources import Rows, Source
from qwen3_mlx.convert.writer import StoredTensor
from qwen3_mlx.errors import ModelFileError

SHARD_BYTES = 5 * 10**9
# Read at a time; the result does not depend on it.
CHUNK_BYTES = 32 * 2**20


@dataclass(frozen=True)
class Target:
    """One tensor of the destination's model, and how it is made.

    Attributes:
        name: The parameter's name in an unquantized model.
        dtype: Of the tensor, or of its scales and biases when it is quantized.
        parts: The rows of the source that it is made of, in order.
        spec: How it is quantized, or None when it is kept whole.
    """

    name: str
    shape: Shape
    dtype: mx.Dtype
    parts: tuple[Rows, ...]
    spec: QuantSpec | None

    @property
    def path(self) -> str:
        """The name of the module that holds it."""
        return self.name.removesuffix(".weight")

    @property
    def stored(self) -> tuple[StoredTensor, ...]:
        """What it is in the file."""
        if self.spec is None:
            return (StoredTensor(self.name, self.dtype, self.shape),)
        return stored_tensors(self.path, self.shape, self.dtype, self.spec)

    @property
    def nbytes(self) -> int:
        return sum(tensor.nbytes for tensor in self.stored)

    def chunks(self) -> Iterator[Rows]:
        """The parts, cut where one would take more than `CHUNK_BYTES` in the target's dtype."""
        height = max(1, CHUNK_BYTES // (self.shape[-1] * self.dtype.size))
        for part in self.parts:
            for start in range(part.start, part.stop, height):
                yield Rows(part.tensor, start, min(start + height, part.stop))


@dataclass(frozen=True)
class Shard:
    """One file of the destination."""

    name: str
    targets: tuple[Target, ...]

    @property
    def stored(self) -> list[StoredTensor]:
        return [tensor for target in self.targets for tensor in target.stored]


@dataclass(frozen=True)
class Plan:
    """The whole conversion."""

    recipe: Recipe
    shards: tuple[Shard, ...]

    @property
    def targets(self) -> list[Target]:
        return [target for shard in self.shards for target in shard.targets]

    @property
    def total_bytes(self) -> int:
        """Size of all tensors in the destination."""
        return sum(target.nbytes for target in self.targets)

    @property
    def parameters(self) -> int:
        """How many numbers the model has."""
        return sum(math.prod(target.shape) for target in self.targets)

    @property
    def dtype(self) -> mx.Dtype:
        """Of what is not quantized: the final norm never is."""
        return next(target.dtype for target in self.targets if target.name == "model.norm.weight")

    @property
    def quantization(self) -> dict[str, object] | None:
        """As `config.json` says it: a default, and each module that differs from it."""
        default = self.recipe.default or next((t.spec for t in self.targets if t.spec), None)
        if default is None:
            return None
        return asdict(default) | {
            target.path: asdict(target.spec) if target.spec else False
            for target in self.targets
            if target.spec != default and len(target.shape) > 1
        }

    def index(self) -> dict[str, object]:
        """Which shard holds which tensor."""
        held = [(tensor, shard.name) for shard in self.shards for tensor in shard.stored]
        return {
            "metadata": {
                "total_parameters": self.parameters,
                "total_size": self.total_bytes,
            },
            "weight_map": {tensor.name: name for tensor, name in held},
        }


def make_plan(
    source: Source, recipe: Recipe, packed: Mapping[str, QuantSpec] | None = None
) -> Plan:
    """Settle what becomes of every tensor of the source's network.

    Args:
        source: Where the numbers are.
        recipe: What each is rounded to.
        packed: The modules whose packed weights, scales and biases the source gives as they are.

    Raises:
        ModelFileError: Tensors of several dtypes would have to be stacked.
    """
    expected = expected_tensors(source.config, dict(packed or {}))
    targets = [_target(name, tensor.shape, source, recipe) for name, tensor in expected.items()]
    return Plan(recipe, tuple(share_out(targets, SHARD_BYTES)))


def _target(name: str, shape: Shape, source: Source, recipe: Recipe) -> Target:
    parts = source.rows(name)
    dtype = recipe.dtype or _common_dtype(parts, source)
    spec = _spec(name.removesuffix(".weight"), shape, source, recipe)
    return Target(name, shape, dtype, parts, spec)


def _spec(path: str, shape: Shape, source: Source, recipe: Recipe) -> QuantSpec | None:
    if len(shape) == 1:
        return None
    return recipe.spec(path, shape[-1], source.config.num_hidden_layers)


def _common_dtype(parts: Sequence[Rows], source: Source) -> mx.Dtype:
    dtype = source.dtype(parts[0].tensor)
    for part in parts:
        if source.dtype(part.tensor) != dtype:
            raise ModelFileError(
                f"the tensors {parts[0].tensor} and {part.tensor} belong together "
                "and have different dtypes"
            )
    return dtype


def share_out(targets: Sequence[Target], limit: int) -> list[Shard]:
    """Shards of at most `limit` bytes of tensors, in the order given.

    A target stays whole, so one over the limit gets a larger shard of its own.
    """
    lists: list[list[Target]] = [[]]
    room = limit
    for target in targets:
        if target.nbytes > room and lists[-1]:
            lists.append([])
            room = limit
        lists[-1].append(target)
        room -= target.nbytes
    return [Shard(_shard_name(i, len(lists)), tuple(held)) for i, held in enumerate(lists, 1)]


def _shard_name(number: int, count: int) -> str:
    return "model.safetensors" if count == 1 else f"model-{number:05d}-of-{count:05d}.safetensors"
