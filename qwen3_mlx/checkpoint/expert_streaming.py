"""A network whose experts stay in their files but for a few: slots in place of stacked weights.

Knows which modules take slots, and of which kind. Does not read weights, nor run the network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import mlx.core as mx

from qwen3_mlx.checkpoint.expert_files import ExpertFiles
from qwen3_mlx.checkpoint.layout import expert_module
from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.model import Qwen3, Qwen3Config
from qwen3_mlx.model.expert_slots import ExpertSlots
from qwen3_mlx.model.moe import SparseMLP, SwitchMLP


def stream_experts(
    model: Qwen3,
    specs: Mapping[str, QuantSpec],
    files: ExpertFiles,
    *,
    slots: int,
    cast: mx.Dtype | None,
) -> None:
    """Put slots where a network has the stacked weights of experts, in place.

    Args:
        model: Its weights need not be there yet.
        specs: The modules that are quantized.
        files: Where the experts are.
        slots: How many experts of a layer there is room for.
        cast: What to make of floating-point numbers; None leaves them as they are.
    """
    for number, layer in enumerate(model.model.layers):
        if isinstance(layer.mlp, SparseMLP):
            path = expert_module(number)
            source = files.layer(path, cast)
            mlp = _mlp(model.config, slots, path, specs)
            experts = model.config.num_experts
            layer.mlp["switch_mlp"] = ExpertSlots(mlp, experts, source, source.dtype)


def _mlp(config: Qwen3Config, slots: int, path: str, specs: Mapping[str, QuantSpec]) -> SwitchMLP:
    """So many experts of the module at ``path``; their numbers are never computed."""
    mlp = SwitchMLP(config.hidden_size, config.moe_intermediate_size, slots)
    for name in ("gate_proj", "up_proj", "down_proj"):
        spec = specs.get(f"{path}.{name}")
        if spec:
            mlp[name] = mlp[name].to_quantized(**asdict(spec))
    return mlp
