"""The sparse MLP: a router and stacked experts.

Knows routing and how stacked weights, plain or quantized, are multiplied expert by expert.
Does not know the rest of the layer.
"""

from __future__ import annotations

import math

import mlx.core as mx

from qwen3_mlx.model.activation import swiglu
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.modules import Linear, Module

# From this many (token, expert) pairs on, sorting by expert costs less than it saves.
SORT_FROM = 64


class SparseMLP(Module):
    """Each token through its ``num_experts_per_tok`` best experts, weighted by the router."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        self._top_k = config.num_experts_per_tok
        self._renormalise = config.norm_topk_prob
        self.gate = Linear(config.hidden_size, config.num_experts, bias=False)
        self.switch_mlp = SwitchMLP(
            config.hidden_size, config.moe_intermediate_size, config.num_experts
        )

    def __call__(self, x: mx.array) -> mx.array:
        """[B, L, hidden] -> [B, L, hidden]."""
        experts, weights = route(self.gate(x), self._top_k, self._renormalise)
        outputs = self.switch_mlp(x, experts)
        return (outputs * weights.astype(outputs.dtype)[..., None]).sum(axis=-2)


def route(logits: mx.array, top_k: int, renormalise: bool) -> tuple[mx.array, mx.array]:
    """Choose experts and their weights from router logits [..., experts].

    The weights are a softmax over all experts in float32, of which the ``top_k`` largest count;
    ``renormalise`` makes them sum to one, which is a softmax over the chosen logits alone.

    Returns:
        Expert numbers [..., top_k] in no particular order, and their float32 weights.
    """
    logits = logits.astype(mx.float32)
    experts = mx.argpartition(logits, kth=-top_k, axis=-1)[..., -top_k:]
    if renormalise:
        return experts, mx.softmax(mx.take_along_axis(logits, experts, axis=-1), axis=-1)
    return experts, mx.take_along_axis(mx.softmax(logits, axis=-1), experts, axis=-1)


class SwitchMLP(Module):
    """The SwiGLU MLPs of all experts, their weights stacked: [experts, out, in]."""

    def __init__(self, hidden: int, intermediate: int, experts: int) -> None:
        super().__init__()
        self.gate_proj = SwitchLinear(hidden, intermediate, experts)
        self.up_proj = SwitchLinear(hidden, intermediate, experts)
        self.down_proj = SwitchLinear(intermediate, hidden, experts)

    def __call__(self, x: mx.array, experts: mx.array) -> mx.array:
        """Tokens [..., hidden] through experts [..., k] -> [..., k, hidden]."""
        if experts.size >= SORT_FROM:
            return self._grouped(x, experts)
        rows = mx.expand_dims(x, (-2, -3))
        return self._experts(rows, experts, in_order=False).squeeze(-2)

    def _grouped(self, x: mx.array, experts: mx.array) -> mx.array:
        """Rows sorted by expert, so that each expert's weights are read once."""
        flat = experts.flatten()
        order = mx.argsort(flat)
        rows = x.flatten(0, -2)[order // experts.shape[-1]]
        outputs = self._experts(rows[:, None, :], flat[order], in_order=True)
        return outputs.squeeze(-2)[mx.argsort(order)].reshape(*experts.shape, -1)

    def _experts(self, rows: mx.array, experts: mx.array, in_order: bool) -> mx.array:
        gate = self.gate_proj(rows, experts, in_order)
        up = self.up_proj(rows, experts, in_order)
        return self.down_proj(swiglu(gate, up), experts, in_order)


class SwitchLinear(Module):
    """One linear map for each expert; ``weight`` is [experts, out, in]."""

    def __init__(self, inputs: int, outputs: int, experts: int) -> None:
        super().__init__()
        bound = math.sqrt(1 / inputs)
        self.weight = mx.random.uniform(-bound, bound, (experts, outputs, inputs))

    def __call__(self, rows: mx.array, experts: mx.array, in_order: bool) -> mx.array:
        """Rows [..., 1, in], each through the expert named in ``experts`` -> [..., 1, out].

        ``in_order`` promises that ``experts`` is sorted.
        """
        return mx.gather_mm(
            rows, self.weight.swapaxes(-1, -2), rhs_indices=experts, sorted_indices=in_order
        )

    def to_quantized(
        self, group_size: int | None = None, bits: int | None = None, mode: str = "affine"
    ) -> QuantizedSwitchLinear:
        """The hook of ``nn.quantize``; None means the default of ``mode``."""
        return QuantizedSwitchLinear(self.weight, group_size, bits, mode)


class QuantizedSwitchLinear(Module):
    """:class:`SwitchLinear` with quantized weights, which stay quantized in memory.

    ``weight`` holds packed integers [experts, out, in * bits / 32], ``scales`` and (affine)
    ``biases`` one number for each group [experts, out, in / group_size].
    """

    def __init__(
        self, weight: mx.array, group_size: int | None, bits: int | None, mode: str
    ) -> None:
        super().__init__()
        self.weight, self.scales, *biases = mx.quantize(weight, group_size, bits, mode=mode)
        inputs = weight.shape[-1]
        self.group_size = inputs // self.scales.shape[-1]
        self.bits = mx.uint32.size * 8 * self.weight.shape[-1] // inputs
        self.mode = mode
        if biases:
            self.biases = biases[0]

    def __call__(self, rows: mx.array, experts: mx.array, in_order: bool) -> mx.array:
        """As :meth:`SwitchLinear.__call__`."""
        return mx.gather_qmm(
            rows,
            self.weight,
            self.scales,
            self.get("biases"),
            rhs_indices=experts,
            transpose=True,
            group_size=self.group_size,
            bits=self.bits,
            mode=self.mode,
            sorted_indices=in_order,
        )
