"""What the CPU backend's faster layout of the weights takes: see :mod:`qwen3_mlx.model.expand`.

Knows the shapes of a network. Of no use on a GPU, where weights stay as they are.
"""

from __future__ import annotations

from math import prod

from qwen3_mlx.checkpoint.layout import is_expert_tensor, matrices
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.expand import ROWS_FOR_EACH_EXPERT

FLOAT32 = 4
# Of one layer's whole experts: gate and up twice, down twice, and another of half the first.
WHOLE_COPIES = 7


def count_numbers(config: Qwen3Config) -> tuple[int, int]:
    """How many numbers the matrices of a network have: its experts', and all others'."""
    sizes = {path: prod(shape) for path, shape in matrices(config).items()}
    experts = sum(size for path, size in sizes.items() if is_expert_tensor(f"{path}.weight"))
    return experts, sum(sizes.values()) - experts


def laid_out_bytes(config: Qwen3Config, weights: int, experts: int, spare: int) -> int:
    """Bytes of the weights once they are laid out for the CPU.

    Args:
        config: The network.
        weights: Bytes as loaded.
        experts: Those of the experts among them, which stay as they are.
        spare: As for `qwen3_mlx.model.tune.tune`.
    """
    _, others = count_numbers(config)
    if others * FLOAT32 > spare:
        return weights
    embedding = config.vocab_size * config.hidden_size
    if config.tie_word_embeddings:
        return experts + FLOAT32 * (others + embedding)
    kept = (weights - experts) * embedding // others
    return experts + FLOAT32 * (others - embedding) + kept


def whole_expert_bytes(config: Qwen3Config, tokens: int, spare: int) -> int:
    """Bytes of experts that are made whole for the moment, for a prefill chunk of `tokens`."""
    one = config.num_experts * config.moe_intermediate_size * config.hidden_size * FLOAT32
    rows = tokens * config.num_experts_per_tok
    if 2 * one > spare or rows < ROWS_FOR_EACH_EXPERT * config.num_experts:
        return 0
    return WHOLE_COPIES * one
