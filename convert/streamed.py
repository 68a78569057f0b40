"""Linear maps whose weights are read a few rows at a time, each time they are needed.

Knows how to stand in for the layers of :mod:`qwen3_mlx.model`, so that a network runs that is
larger than memory. Does not know where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import mlx.core as mx
from mlx.utils import tree_flatten

from qwen3_mlx.convert.plan import CHUNK_BYTES
from qwen3_mlx.model.layers import DecoderLayer
from qwen3_mlx.model.modules import Linear, Module
from qwen3_mlx.model.moe import SwitchLinear

FLOAT_BYTES = 4

# Rows `start` to `stop` of a weight, seen as a matrix as wide as its last axis, in float32.
ReadRows = Callable[[int, int], mx.array]
# The same, of the weight of that name.
ReadWeight = Callable[[str, int, int], mx.array]


def chunks(read: ReadRows, start: int, stop: int, width: int) -> Iterator[mx.array]:
    """Rows `start` to `stop` in pieces of at most `CHUNK_BYTES`."""
    height = max(1, CHUNK_BYTES // (width * FLOAT_BYTES))
    for first in range(start, stop, height):
        yield read(first, min(first + height, stop))


def product(x: mx.array, read: ReadRows, start: int, stop: int) -> mx.array:
    """x [..., width] times rows `start` to `stop` of a weight: [..., stop - start]."""
    parts = []
    for rows in chunks(read, start, stop, x.shape[-1]):
        parts.append(x @ rows.T)
        mx.eval(parts[-1])  # or all rows would be in memory before the first product
    return mx.concatenate(parts, axis=-1)


class StreamedLinear(Module):
    """Stands in for `Linear`."""

    def __init__(self, read: ReadRows, height: int) -> None:
        super().__init__()
        self._read = read
        self._height = height

    def __call__(self, x: mx.array) -> mx.array:
        """[..., width] -> [..., height]."""
        return product(x, self._read, 0, self._height)


class StreamedSwitchLinear(Module):
    """Stands in for `SwitchLinear`; reads the experts that are chosen."""

    def __init__(self, read: ReadRows, height: int) -> None:
        super().__init__()
        self._read = read
        self._height = height

    def __call__(self, rows: mx.array, experts: mx.array, in_order: bool) -> mx.array:  # noqa: ARG002
        """As `SwitchLinear.__call__`."""
        shape = (*experts.shape, 1, rows.shape[-1])
        flat = mx.broadcast_to(rows, shape).reshape(-1, rows.shape[-1])
        places: dict[int, list[int]] = {}
        for place, expert in enumerate(_numbers(experts)):
            places.setdefault(expert, []).append(place)
        outputs = [self._through(expert, flat[mx.array(at)]) for expert, at in places.items()]
        back = mx.argsort(mx.array([place for at in places.values() for place in at]))
        return mx.concatenate(outputs)[back].reshape(*experts.shape, 1, self._height)

    def _through(self, expert: int, x: mx.array) -> mx.array:
        start = expert * self._height
        return product(x, self._read, start, start + self._height)


def streamed(layer: DecoderLayer, prefix: str, read: ReadWeight) -> DecoderLayer:
    """The layer with its matrices read when they are needed; its norms are read now.

    Args:
        layer: Made for its config, with any numbers.
        prefix: Of its weights' names, such as `model.layers.0.`.
        read: Gives the rows.
    """
    for path, module in _leaves(layer):
        rows = partial(read, f"{prefix}{path}.weight")
        if isinstance(module, Linear):
            layer.update_modules(_nested(path, StreamedLinear(rows, module.weight.shape[0])))
        elif isinstance(module, SwitchLinear):
            layer.update_modules(_nested(path, StreamedSwitchLinear(rows, module.weight.shape[1])))
        else:
            module.weight = rows(0, 1)[0]
    return layer


def _leaves(layer: Any) -> list[tuple[str, Any]]:
    """The modules that hold numbers, by path; MLX's walk over them is not annotated."""
    return cast(list[tuple[str, Any]], tree_flatten(layer.leaf_modules(), is_leaf=Module.is_module))


def _nested(path: str, module: Module) -> dict[str, object]:
    first, _, rest = path.partition(".")
    return {first: _nested(rest, module) if rest else module}


def _numbers(experts: mx.array) -> list[int]:
    return cast(list[int], experts.flatten().tolist())
