"""The decoder that is trained: Qwen3 in PyTorch, dense or mixture of experts.

Knows tensors and parameter names (Hugging Face's, experts stacked). Does not know text,
data or files. Written apart from the runtime on purpose: that MLX and PyTorch agree on the
exported weights is one of the tests.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


@dataclass(frozen=True)
class Shape:
    """Sizes of one network, under Hugging Face's names. ``num_experts`` 0 is dense."""

    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    intermediate_size: int
    vocab_size: int = 1600
    head_dim: int = 32
    num_experts: int = 0
    num_experts_per_tok: int = 8
    moe_intermediate_size: int = 32
    rope_theta: float = 10_000.0
    rms_norm_eps: float = 1e-6
    max_position_embeddings: int = 2048


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


def rotary_tables(length: int, shape: Shape) -> tuple[Tensor, Tensor]:
    """cos and sin, each [length, head_dim], in the half-split layout."""
    dims = torch.arange(0, shape.head_dim, 2, dtype=torch.float64)
    inverse = shape.rope_theta ** (-dims / shape.head_dim)
    angles = torch.outer(torch.arange(length, dtype=torch.float64), inverse)
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat((-second, first), dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads = shape.num_attention_heads, shape.num_key_value_heads
        self.head_dim = shape.head_dim
        wide, narrow = self.heads * self.head_dim, self.kv_heads * self.head_dim
        self.q_proj = nn.Linear(shape.hidden_size, wide, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, narrow, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, narrow, bias=False)
        self.o_proj = nn.Linear(wide, shape.hidden_size, bias=False)
        self.q_norm = RMSNorm(self.head_dim, shape.rms_norm_eps)
        self.k_norm = RMSNorm(self.head_dim, shape.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, length, _ = x.shape
        q = self.q_norm(self.q_proj(x).view(batch, length, self.heads, self.head_dim))
        k = self.k_norm(self.k_proj(x).view(batch, length, self.kv_heads, self.head_dim))
        v = self.v_proj(x).view(batch, length, self.kv_heads, self.head_dim)
        q, k, v = (
            rotate(q.transpose(1, 2), cos, sin),
            rotate(k.transpose(1, 2), cos, sin),
            v.transpose(1, 2),
        )
        repeats = self.heads // self.kv_heads
        k, v = k.repeat_interleave(repeats, 1), v.repeat_interleave(repeats, 1)
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(out.transpose(1, 2).reshape(batch, length, -1))


class MLP(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class GroupedLinear(torch.autograd.Function):
    """Rows sorted by expert times each expert's own matrix: one plain matmul an expert."""

    @staticmethod
    def forward(ctx, rows: Tensor, weight: Tensor, bounds: list[int]) -> Tensor:
        # rows [N, in], weight [experts, out, in], bounds[e]:bounds[e+1] are expert e's rows
        out = rows.new_empty(rows.shape[0], weight.shape[1])
        for e in range(weight.shape[0]):
            torch.mm(
                rows[bounds[e] : bounds[e + 1]], weight[e].t(), out=out[bounds[e] : bounds[e + 1]]
            )
        ctx.save_for_backward(rows, weight)
        ctx.bounds = bounds
        return out

    @staticmethod
    def backward(ctx, grad: Tensor):
        rows, weight = ctx.saved_tensors
        bounds = ctx.bounds
        grad = grad.contiguous()
        grad_rows, grad_weight = torch.empty_like(rows), torch.empty_like(weight)
        for e in range(weight.shape[0]):
            part = slice(bounds[e], bounds[e + 1])
            torch.mm(grad[part], weight[e], out=grad_rows[part])
            torch.mm(grad[part].t(), rows[part], out=grad_weight[e])
        return grad_rows, grad_weight, None


class Experts(nn.Module):
    """Stacked expert projections, each [experts, out, in]."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        count, width, hidden = shape.num_experts, shape.moe_intermediate_size, shape.hidden_size
        self.gate_proj = nn.Parameter(torch.empty(count, width, hidden))
        self.up_proj = nn.Parameter(torch.empty(count, width, hidden))
        self.down_proj = nn.Parameter(torch.empty(count, hidden, width))

    def forward(self, rows: Tensor, bounds: list[int]) -> Tensor:
        gate = GroupedLinear.apply(rows, self.gate_proj, bounds)
        up = GroupedLinear.apply(rows, self.up_proj, bounds)
        return GroupedLinear.apply(F.silu(gate) * up, self.down_proj, bounds)


class SparseMLP(nn.Module):
    """Softmax router, top k renormalised, stacked experts. Keeps its load-balancing loss."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.top_k, self.count = shape.num_experts_per_tok, shape.num_experts
        self.gate = nn.Linear(shape.hidden_size, self.count, bias=False)
        self.experts = Experts(shape)
        self.balance_loss = torch.zeros(())

    def forward(self, x: Tensor) -> Tensor:
        flat = x.reshape(-1, x.shape[-1])
        probabilities = self.gate(flat).softmax(dim=-1)
        weights, chosen = probabilities.topk(self.top_k, dim=-1)
        weights = weights / weights.sum(dim=-1, keepdim=True)
        load = torch.bincount(chosen.flatten(), minlength=self.count)
        # Switch Transformers (arXiv 2101.03961), eq. 4, for top k: 1.0 when perfectly even.
        share = load.to(flat.dtype) / chosen.numel()
        self.balance_loss = self.count * (share * probabilities.mean(dim=0)).sum()
        order = chosen.flatten().argsort()
        bounds = [0, *load.cumsum(0).tolist()]
        token = order // self.top_k
        rows = self.experts(flat[token], bounds) * weights.flatten()[order].unsqueeze(-1)
        return torch.zeros_like(flat).index_add(0, token, rows).view_as(x)


class Layer(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self.mlp = SparseMLP(shape) if shape.num_experts else MLP(shape)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Token ids to hidden states; ``logits`` is the tied head."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.layers = nn.ModuleList(Layer(shape) for _ in range(shape.num_hidden_layers))
        self.norm = RMSNorm(shape.hidden_size, shape.rms_norm_eps)
        self._initialise()

    def _initialise(self) -> None:
        depth_scale = (2 * len(self.layers)) ** -0.5
        for name, parameter in self.named_parameters():
            if parameter.dim() < 2:
                continue
            std = 0.02 if "embed" in name else parameter.shape[-1] ** -0.5
            last = name.endswith(("o_proj.weight", "down_proj.weight", "down_proj"))
            nn.init.normal_(parameter, std=std * (depth_scale if last else 1.0))

    def forward(self, ids: Tensor) -> Tensor:
        """ids [B, L] -> hidden states [B, L, hidden]."""
        cos, sin = rotary_tables(ids.shape[1], self.shape)
        x = self.embed_tokens(ids)
        for layer in self.layers:
            x = layer(x, cos, sin)
        return self.norm(x)

    def logits(self, hidden: Tensor) -> Tensor:
        """hidden [..., hidden] -> logits [..., vocab]."""
        return hidden @ self.embed_tokens.weight.t()

    def balance_loss(self) -> Tensor:
        """Mean load-balancing loss of the sparse layers (0 when dense)."""
        losses = [m.balance_loss for m in self.modules() if isinstance(m, SparseMLP)]
        return torch.stack(losses).mean() if losses else torch.zeros(())
