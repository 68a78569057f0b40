"""Weights in, MLX weights out.

Knows checkpoints and how to round, prune, write and name them. Runs a model only to learn from it
or to compare.

    from qwen3_mlx.convert import convert

    convert("Qwen3-0.6B", "Qwen3-0.6B-4bit", recipe="4bit")
"""

from __future__ import annotations

from qwen3_mlx.convert.outlook import Outlook, outlook
from qwen3_mlx.convert.prune_choice import Pruning
from qwen3_mlx.convert.prune_run import prune
from qwen3_mlx.convert.run import convert
from qwen3_mlx.convert.verification import Verification, verify
from qwen3_mlx.convert.weights import Progress

__all__ = [
    "Outlook",
    "Progress",
    "Pruning",
    "Verification",
    "convert",
    "outlook",
    "prune",
    "verify",
]
