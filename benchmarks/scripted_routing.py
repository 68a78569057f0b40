"""Routing as skewed as published for Qwen3-30B-A3B, for models whose weights are random.

Logits of a router are a constant for each expert plus a process that remembers a part of the last
token (AR(1)). Its two parameters were chosen so that experts are used again as in the real model:
45 % of them at the next token, 80 % within 8.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from math import sqrt

import mlx.core as mx

from qwen3_mlx.model.modules import Linear, Module

MEMORY, SKEW = 0.35, 1.2

Logits = list[list[float]]


class ScriptedGate(Module):
    """A router that computes what it always does, and then says what the script says.

    Args:
        gate: The router.
        logits: For the tokens to come, [tokens, experts].
    """

    def __init__(self, gate: Linear, logits: Logits) -> None:
        super().__init__()
        self.gate, self._logits, self._at = gate, mx.array(logits), 0

    def __call__(self, x: mx.array) -> mx.array:
        """[B, L, hidden] -> logits [B, L, experts]."""
        start, self._at = self._at, self._at + x.shape[1]
        return 0 * self.gate(x) + self._logits[start : self._at]


def scripted_logits(layer: int, tokens: int, experts: int) -> Logits:
    """The logits of a layer for a number of tokens; the same for the same layer."""
    draw = random.Random(layer).gauss
    constants = [draw(0, SKEW) for _ in range(experts)]
    process = [draw(0, 1) for _ in range(experts)]
    logits = []
    for _ in range(tokens):
        process = [MEMORY * value + sqrt(1 - MEMORY**2) * draw(0, 1) for value in process]
        logits.append([a + b for a, b in zip(constants, process, strict=True)])
    return logits


def chosen_experts(logits: Logits, top_k: int) -> list[list[int]]:
    """The experts of each token."""
    return [sorted(range(len(row)), key=row.__getitem__)[-top_k:] for row in logits]


def reuse(tokens: Sequence[Sequence[int]], within: int) -> float:
    """Which part of the experts of a token is used again within so many tokens."""
    again = [
        expert in {other for later in tokens[at + 1 : at + 1 + within] for other in later}
        for at, chosen in enumerate(tokens[:-within])
        for expert in chosen
    ]
    return sum(again) / len(again)
