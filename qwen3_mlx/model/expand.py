"""Weights laid out for MLX's CPU backend, whose matrix product is slow the usual way round.

Knows which way that backend multiplies fast, and how much memory that takes. Of no use on a GPU.
Does not know the machine.

Measured on the Linux x86 backend of MLX 0.32: [1, 256] times float32 weights kept [out, in], as
checkpoints have them, or 4-bit ones, does 1.1 to 1.4 billion multiplications a second; kept
[in, out] it does 2.6 billion, in prefill 3.0.
"""

from __future__ import annotations

import mlx.core as mx
from mlx.utils import tree_map

from qwen3_mlx.model.modules import (
    AnyModule,
    Embedding,
    Linear,
    Module,
    QuantizedEmbedding,
    QuantizedLinear,
)
from qwen3_mlx.model.moe import QuantizedSwitchLinear
from qwen3_mlx.model.qwen3 import Qwen3

QUANTIZED = (QuantizedLinear, QuantizedEmbedding)

# From this many rows for each expert on, making its weights whole costs less than it saves.
ROWS_FOR_EACH_EXPERT = 8


class TransposedLinear(Module):
    """A linear map with its weight [in, out].

    Args:
        weight: [out, in], whole.
    """

    def __init__(self, weight: mx.array) -> None:
        super().__init__()
        self.weight = mx.contiguous(weight.T)

    def __call__(self, x: mx.array) -> mx.array:
        """[..., in] -> [..., out]."""
        return x @ self.weight


class WholeEmbedding(Module):
    """An embedding that is the head too, in both layouts.

    Args:
        weight: [vocab, hidden], whole.
    """

    def __init__(self, weight: mx.array) -> None:
        super().__init__()
        self.weight = weight
        self.as_linear = TransposedLinear(weight)

    def __call__(self, ids: mx.array) -> mx.array:
        """Ids [...] -> [..., hidden]."""
        return self.weight[ids]


class WideningSwitchLinear(QuantizedSwitchLinear):
    """Quantized experts that are made whole, for the moment, when many rows go through them.

    Args:
        experts: Whose weights these are.
        limit: Bytes that the whole weights may take.
    """

    def __init__(self, experts: QuantizedSwitchLinear, limit: int) -> None:
        Module.__init__(self)
        self.weight, self.scales = experts.weight, experts.scales
        if "biases" in experts:
            self.biases = experts.biases
        self.group_size, self.bits, self.mode = experts.group_size, experts.bits, experts.mode
        self._fits = whole_bytes(experts) <= limit

    def __call__(self, rows: mx.array, experts: mx.array, in_order: bool) -> mx.array:
        """As :meth:`SwitchLinear.__call__`."""
        if not (in_order and self._fits and len(rows) >= ROWS_FOR_EACH_EXPERT * len(self.weight)):
            return super().__call__(rows, experts, in_order)
        whole = mx.contiguous(whole_weight(self).swapaxes(-1, -2))
        return mx.gather_mm(rows, whole, rhs_indices=experts, sorted_indices=True)


def expand(model: Qwen3, limit: int) -> None:
    """Lay the weights out for the CPU, in place; the answers are the same up to rounding.

    Quantized ones are made whole only if all of them but the experts, which stay quantized in
    memory, take at most `limit` bytes so.
    """
    modules: list[AnyModule] = model.modules()  # type: ignore[no-untyped-call]
    quantized = [module for module in modules if isinstance(module, QUANTIZED)]
    fits = sum(map(whole_bytes, quantized)) <= limit

    def laid_out(module: AnyModule) -> AnyModule:
        if isinstance(module, WideningSwitchLinear):
            return module
        if isinstance(module, QuantizedSwitchLinear):
            return WideningSwitchLinear(module, limit)
        if not fits and isinstance(module, QUANTIZED):
            return module
        if isinstance(module, (Embedding, QuantizedEmbedding)):
            tied = model.config.tie_word_embeddings
            return WholeEmbedding(whole_weight(module)) if tied else module
        if isinstance(module, (Linear, QuantizedLinear)):
            return TransposedLinear(whole_weight(module))
        return module

    for part in (*model.model.layers, model):  # so that only one layer is there twice
        leaves = part.leaf_modules()  # type: ignore[no-untyped-call]
        part.update_modules(tree_map(laid_out, leaves, is_leaf=_is_module))
        mx.eval(part.parameters())  # type: ignore[no-untyped-call]


def whole_bytes(module: AnyModule) -> int:
    """Bytes of a module's weight in float32."""
    weight: mx.array = module.weight
    packed = mx.uint32.size * 8 // module.bits if "scales" in module else 1
    return weight.size * packed * mx.float32.size


def whole_weight(module: AnyModule) -> mx.array:
    """A module's weight [..., out, in], as numbers."""
    if "scales" not in module:
        weight: mx.array = module.weight
        return weight
    return mx.dequantize(
        module.weight,
        module.scales,
        module.get("biases"),
        group_size=module.group_size,
        bits=module.bits,
        mode=module.mode,
        dtype=mx.float32,
    )


def _is_module(value: object) -> bool:
    return isinstance(value, AnyModule)
