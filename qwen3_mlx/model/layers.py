"""The parts of a decoder layer: attention, the dense MLP, and the layer itself.

Knows one layer. Does not know how many there are, nor tokens.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.model.activation import swiglu
from qwen3_mlx.model.cache import LayerCache, attend
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.modules import Linear, Module, RMSNorm
from qwen3_mlx.model.moe import SparseMLP
from qwen3_mlx.model.rope import Rope


class Attention(Module):
    """Grouped-query attention, with RMSNorm on each head's query and key before rotation."""

    def __init__(self, config: Qwen3Config, rope: Rope) -> None:
        super().__init__()
        hidden, dims, eps = config.hidden_size, config.head_dim, config.rms_norm_eps
        heads, kv_heads = config.num_attention_heads, config.num_key_value_heads
        self._dims = dims
        self.heads, self.kv_heads = heads, kv_heads
        self._scale = rope.score_factor * dims**-0.5
        self._rope = rope
        self.q_proj = Linear(hidden, heads * dims, bias=False)
        self.k_proj = Linear(hidden, kv_heads * dims, bias=False)
        self.v_proj = Linear(hidden, kv_heads * dims, bias=False)
        self.o_proj = Linear(heads * dims, hidden, bias=False)
        self.q_norm = RMSNorm(dims, eps=eps)
        self.k_norm = RMSNorm(dims, eps=eps)

    def __call__(self, x: mx.array, cache: LayerCache | None, last: int | None = None) -> mx.array:
        """[B, L, hidden] -> [B, L, hidden]; the L tokens follow those in the cache.

        Args:
            last: Only so many of the tokens, the last ones, are wanted; None for all.
        """
        queries, keys, values = self.project(x, cache.offset if cache is not None else 0)
        if last is not None:
            queries = queries[:, :, -last:]
        if cache is None:
            mixed = attend(queries, keys, values, self._scale)
        else:
            mixed = cache.attend(queries, keys, values, self._scale)
        return self.o_proj(mixed.swapaxes(1, 2).flatten(2))

    def project(self, x: mx.array, offset: int | mx.array) -> tuple[mx.array, mx.array, mx.array]:
        """[B, L, hidden] -> queries [B, heads, L, head_dim]; keys and values, with kv_heads."""
        queries = self._rope(self.q_norm(self._heads(self.q_proj(x))).swapaxes(1, 2), offset)
        keys = self._rope(self.k_norm(self._heads(self.k_proj(x))).swapaxes(1, 2), offset)
        return queries, keys, self._heads(self.v_proj(x)).swapaxes(1, 2)

    def _heads(self, x: mx.array) -> mx.array:
        """[B, L, heads * head_dim] -> [B, L, heads, head_dim]."""
        return x.reshape(*x.shape[:2], -1, self._dims)


class MLP(Module):
    """The dense SwiGLU MLP."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__()
        hidden, intermediate = config.hidden_size, config.intermediate_size
        self.gate_proj = Linear(hidden, intermediate, bias=False)
        self.up_proj = Linear(hidden, intermediate, bias=False)
        self.down_proj = Linear(intermediate, hidden, bias=False)

    def __call__(self, x: mx.array) -> mx.array:
        """[B, L, hidden] -> [B, L, hidden]."""
        return self.down_proj(swiglu(self.gate_proj(x), self.up_proj(x)))


class DecoderLayer(Module):
    """Attention and an MLP, each normed before and added to what came in."""

    def __init__(self, config: Qwen3Config, rope: Rope, number: int) -> None:
        super().__init__()
        hidden, eps = config.hidden_size, config.rms_norm_eps
        self.self_attn = Attention(config, rope)
        self.mlp = SparseMLP(config) if config.is_sparse(number) else MLP(config)
        self.input_layernorm = RMSNorm(hidden, eps=eps)
        self.post_attention_layernorm = RMSNorm(hidden, eps=eps)

    def __call__(self, x: mx.array, cache: LayerCache | None, last: int | None = None) -> mx.array:
        """[B, L, hidden] -> [B, L, hidden], or the ``last`` tokens of them alone."""
        mixed = self.self_attn(self.input_layernorm(x), cache, last)
        x = (x if last is None else x[:, -last:]) + mixed
        return x + self.mlp(self.post_attention_layernorm(x))
