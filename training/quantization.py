"""Train through 4-bit rounding, so that the shipped files lose next to nothing.

Knows MLX's affine quantization as arithmetic (mlx.core.quantize, mode "affine") and the recipe
of the bundled models: 4 bits, the router 8, groups of 32. The gradient passes straight through
the rounding (Bengio et al., arXiv 1308.3432).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from training.network import MLP, Attention, Decoder, Experts, SparseMLP

GROUP = 32


def round_affine(weight: Tensor, bits: int) -> Tensor:
    """weight [..., columns] as MLX would restore it from groups of GROUP columns."""
    levels = 2**bits - 1
    groups = weight.bfloat16().float().unflatten(-1, (-1, GROUP))
    low, high = groups.amin(-1, keepdim=True), groups.amax(-1, keepdim=True)
    scale = ((high - low) / levels).clamp_min(1e-7)
    from_low = low.abs() > high.abs()
    scale = torch.where(from_low, scale, -scale)
    edge = torch.where(from_low, low, high)
    steps = (edge / scale).round()
    scale = torch.where(steps != 0, edge / steps, scale).bfloat16().float()
    bias = torch.where(steps != 0, edge, 0.0).bfloat16().float()
    quantized = ((groups - bias) / scale).round().clamp(0, levels)
    return (quantized * scale + bias).flatten(-2)


class Rounded(nn.Module):
    """A parametrization: the weight as it will be after conversion."""

    def __init__(self, bits: int) -> None:
        super().__init__()
        self.bits = bits

    def forward(self, weight: Tensor) -> Tensor:
        with torch.no_grad():
            error = round_affine(weight, self.bits) - weight
        return weight + error


def train_through_rounding(model: Decoder) -> None:
    """From here on, every matrix acts as its quantized self; its own numbers go on learning."""
    parametrize.register_parametrization(model.embed_tokens, "weight", Rounded(4))
    for module in list(model.modules()):
        if isinstance(module, Experts):
            for name in ("gate_proj", "up_proj", "down_proj"):
                parametrize.register_parametrization(module, name, Rounded(4))
        elif isinstance(module, SparseMLP):
            parametrize.register_parametrization(module.gate, "weight", Rounded(8))
        elif isinstance(module, Attention | MLP):
            for linear in (m for m in module.children() if isinstance(m, nn.Linear)):
                parametrize.register_parametrization(linear, "weight", Rounded(4))


def own_weights(model: Decoder) -> dict[str, Tensor]:
    """The weights under their plain names, whether or not rounding is in the way."""
    return {
        name.replace("parametrizations.", "").removesuffix(".original"): tensor
        for name, tensor in model.state_dict().items()
    }
