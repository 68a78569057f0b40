"""The names of the weights: the network's own, and Hugging Face's in an exported file.

The experts are written one by one, as the published Qwen3 MoE checkpoints have them, and stacked
in training.
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

EXPERT = re.compile(r"(layers\.\d+\.mlp\.experts)\.(\d+)\.(\w+)\.weight")


def published_names(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The network's names to Hugging Face's in bfloat16, stacked experts taken apart."""
    found: dict[str, Tensor] = {}
    for name, tensor in weights.items():
        if ".experts." in name:
            layer, projection = name.rsplit(".", 1)
            found |= {
                f"model.{layer}.{e}.{projection}.weight": part for e, part in enumerate(tensor)
            }
        else:
            found[f"model.{name}"] = tensor
    return {name: found[name].bfloat16().contiguous() for name in sorted(found)}


def exported_weights(path: Path) -> dict[str, Tensor]:
    """What ``published_names`` wrote to ``path``, under the network's names, in float32."""
    found: dict[str, Tensor] = {}
    experts: dict[str, dict[int, Tensor]] = defaultdict(dict)
    for published, tensor in load_file(path).items():
        name = published.removeprefix("model.")
        if expert := EXPERT.fullmatch(name):
            experts[f"{expert[1]}.{expert[3]}"][int(expert[2])] = tensor.float()
        else:
            found[name] = tensor.float()
    stacked = {n: torch.stack([e[i] for i in range(len(e))]) for n, e in experts.items()}
    return found | stacked
