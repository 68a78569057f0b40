"""What computing takes besides weights and cache: the arrays that are in memory at once.

Knows how many arrays of which width MLX holds while a prefill chunk goes through a layer. Does not
know the machine.

How many was measured on the CPU backend of MLX 0.32 (`benchmarks/memory.py` compares): it runs
ahead of itself by about half a layer, and a freed array lives so much longer. The numbers are those
of the fused layers that `load` makes, with quantized weights; whole weights take the same or less.
On Metal nothing of this was measured: there norms, rotations and gates are single kernels, which
hold fewer arrays, but its command buffers run further ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import mlx.core as mx

from qwen3_mlx.memory.layout import whole_expert_bytes
from qwen3_mlx.model import Qwen3Config

# Head dimensions for which MLX's Metal kernel attends without writing the scores
# (mlx/backend/metal/scaled_dot_product_attention.cpp).
FUSED_HEAD_DIMS = (64, 80, 128)

# Of float32 logits while a token is chosen, at worst: top-p over the whole vocabulary sorts it.
LOGITS_ALIVE = 15
FLOAT32 = 4


@dataclass(frozen=True, slots=True)
class Alive:
    """How many arrays of each width are in memory at once, for each token of a chunk.

    Attributes:
        hidden: Of the hidden state's width.
        queries: Of all queries' width.
        keys: Of all keys' width.
        expert_hidden: Of the hidden state's width, for each expert that a token goes through.
        mlp: Of the MLP's width; of an expert's, for each that a token goes through.
    """

    hidden: float
    queries: float
    keys: float
    expert_hidden: float
    mlp: float

    def numbers(self, config: Qwen3Config, *, sparse: bool) -> float:
        """For each token of a chunk."""
        used = config.num_experts_per_tok if sparse else 0
        width = used * config.moe_intermediate_size if sparse else config.intermediate_size
        return (
            self.hidden * config.hidden_size
            + self.queries * config.num_attention_heads * config.head_dim
            + self.keys * config.num_key_value_heads * config.head_dim
            + self.expert_hidden * used * config.hidden_size
            + self.mlp * width
        )


# An attention and the MLP after it are in memory together, but for experts that are made whole:
# that takes so many steps that the attention has gone.
DENSE = Alive(hidden=7, queries=8, keys=6, expert_hidden=0, mlp=3)
SPARSE = Alive(hidden=4, queries=4, keys=4, expert_hidden=4, mlp=3)
SPARSE_ATTENTION = Alive(hidden=7, queries=8, keys=6, expert_hidden=0.5, mlp=0)
WHOLE_EXPERTS = Alive(hidden=7, queries=0, keys=0, expert_hidden=4, mlp=3)


def attends_in_one(config: Qwen3Config) -> bool:
    """Whether this machine attends in one kernel, which writes no scores."""
    return mx.metal.is_available() and config.head_dim in FUSED_HEAD_DIMS


def score_bytes(config: Qwen3Config, tokens: int, context: int, item_bytes: int) -> int:
    """Bytes of the scores of a chunk of `tokens` over the whole context, and of their mask."""
    pairs = tokens * context
    return pairs * (config.num_attention_heads * item_bytes + 1)


def activation_bytes(
    config: Qwen3Config,
    *,
    tokens: int,
    context: int,
    item_bytes: int,
    batch: int = 1,
    attends_in_one: bool = False,
    spare: int = 0,
) -> int:
    """Bytes that the last chunk of a prompt takes while it is computed, the dearest of all.

    Args:
        config: The network.
        tokens: Of the chunk.
        context: Tokens of the prompt, the chunk's included.
        item_bytes: Of one number.
        batch: Prompts at once.
        attends_in_one: Whether attention is one kernel, which writes no scores.
        spare: As for `estimate`.
    """
    scores = 0 if attends_in_one else score_bytes(config, tokens, context, item_bytes)
    whole = whole_expert_bytes(config, batch * tokens, spare)

    def layer(alive: Alive, *, sparse: bool) -> float:
        return tokens * item_bytes * alive.numbers(config, sparse=sparse)

    kinds = {config.is_sparse(number) for number in range(config.num_hidden_layers)}
    found = [] if kinds == {True} else [scores + layer(DENSE, sparse=False)]
    if True in kinds and whole:
        found.append(scores + layer(SPARSE_ATTENTION, sparse=True))
        found.append(whole / batch + layer(WHOLE_EXPERTS, sparse=True))
    elif True in kinds:
        found.append(scores + layer(SPARSE, sparse=True))
    logits = LOGITS_ALIVE * config.vocab_size * FLOAT32
    return round(batch * max(*found, logits))
