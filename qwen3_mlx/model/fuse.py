"""Layers rearranged for speed: what reads the same input is one multiplication.

Knows how the projections of a loaded layer are joined, quantized or whole. Does not know files:
what it joins no longer has the names of a checkpoint.
"""

from __future__ import annotations

from typing import TypeVar

import mlx.core as mx

from qwen3_mlx.model.activation import swiglu
from qwen3_mlx.model.layers import MLP, Attention
from qwen3_mlx.model.modules import AnyModule, Module
from qwen3_mlx.model.moe import SwitchMLP
from qwen3_mlx.model.qwen3 import Qwen3

M = TypeVar("M", bound=AnyModule)

PARTS = ("weight", "scales", "biases")
SPEC = ("group_size", "bits", "mode")


class FusedAttention(Attention):
    """Attention whose queries, keys and values are one product, normed and rotated together.

    Args:
        attention: Is taken apart.
    """

    def __init__(self, attention: Attention) -> None:
        Module.__init__(self)
        self._dims, self._scale, self._rope = attention._dims, attention._scale, attention._rope
        self._eps = attention.q_norm.eps
        self._kv_heads = attention.kv_heads
        self.qkv_proj = join(attention.q_proj, attention.k_proj, attention.v_proj)
        self.o_proj = attention.o_proj
        self.head_norm = self._norms(attention)

    def project(self, x: mx.array, offset: int | mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """As :meth:`Attention.project`."""
        heads = self._heads(self.qkv_proj(x)).swapaxes(1, 2)
        rotating, values = mx.split(heads, [-self._kv_heads], axis=1)
        normed = mx.fast.rms_norm(rotating, None, self._eps) * self.head_norm
        queries, keys = mx.split(self._rope(normed, offset), [-self._kv_heads], axis=1)
        return queries, keys, values

    def _norms(self, attention: Attention) -> mx.array:
        """Weights of the norms of all heads, [heads + kv_heads, 1, head_dim]."""
        queries, keys = attention.q_norm.weight, attention.k_norm.weight
        heads = [queries] * attention.heads + [keys] * attention.kv_heads
        return mx.stack(heads)[:, None]


class FusedMLP(MLP):
    """The dense MLP with gate and up as one product.

    Args:
        mlp: Is taken apart.
    """

    def __init__(self, mlp: MLP) -> None:
        Module.__init__(self)
        self.gate_up_proj = join(mlp.gate_proj, mlp.up_proj)
        self.down_proj = mlp.down_proj

    def __call__(self, x: mx.array) -> mx.array:
        """[B, L, hidden] -> [B, L, hidden]."""
        return self.down_proj(swiglu(*mx.split(self.gate_up_proj(x), 2, axis=-1)))


class FusedSwitchMLP(SwitchMLP):
    """The MLPs of all experts with gate and up as one product.

    Args:
        experts: Are taken apart.
    """

    def __init__(self, experts: SwitchMLP) -> None:
        Module.__init__(self)
        self.gate_up_proj = join(experts.gate_proj, experts.up_proj)
        self.down_proj = experts.down_proj

    def _experts(self, rows: mx.array, experts: mx.array, in_order: bool) -> mx.array:
        gate, up = mx.split(self.gate_up_proj(rows, experts, in_order), 2, axis=-1)
        return self.down_proj(swiglu(gate, up), experts, in_order)


def fuse(model: Qwen3) -> None:
    """Join what reads the same input, in place, layer by layer; the answers stay the same.

    Layers whose parts are quantized in different ways stay as they are. Memory: that of one layer
    on top, for a moment.
    """
    for layer in model.model.layers:
        attention, mlp = layer.self_attn, layer.mlp
        if can_join(attention.q_proj, attention.k_proj, attention.v_proj):
            layer.self_attn = FusedAttention(attention)
        if isinstance(mlp, MLP) and can_join(mlp.gate_proj, mlp.up_proj):
            layer.mlp = FusedMLP(mlp)
        experts = getattr(mlp, "switch_mlp", None)
        if isinstance(experts, SwitchMLP) and can_join(experts.gate_proj, experts.up_proj):
            mlp.switch_mlp = FusedSwitchMLP(experts)
        mx.eval(layer.parameters())  # type: ignore[no-untyped-call]


def can_join(*linears: AnyModule) -> bool:
    """Whether linear maps are of one kind, quantized in one way or whole."""
    return len({(type(linear), *_spec(linear)) for linear in linears}) == 1


def join(first: M, *others: M) -> M:
    """One linear map [..., out, in] of several that `can_join`: the first, grown by the others."""
    for name in PARTS:
        if name in first:
            first[name] = mx.concatenate([part[name] for part in (first, *others)], axis=-2)
    return first


def _spec(linear: AnyModule) -> tuple[object, ...]:
    return tuple(getattr(linear, name, None) for name in SPEC)
