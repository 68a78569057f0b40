"""What a budget that sets itself has learned about one model.

Knows numbers. Does not know how they were measured, see `evaluation.calibrate`, nor where they are
kept, see `calibration_file`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from qwen3_mlx.generation.difficulty import Difficulty

STEP = 8
"""Limits are whole multiples of so many tokens."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """When one model has thought enough.

    Attributes:
        name: Of the model, as it was asked for; for people.
        model: The identity of its weights; empty for a default that any model may have.
        skip: Certainty of the answer given at once from which there is no thinking; above 1: never.
        certain: Certainty of an answer given now from which it counts as settled.
        agree: So many checks in a row must find the same settled answer.
        every: Tokens of thought from one check to the next.
        brake: At the end of a sentence, how many nats `</think>` may be behind the likeliest token
            for the thinking to stop; None: never.
        least: Tokens that a limit never falls below.
        cap: Tokens that it never exceeds, also when it is extended.
        lead: What is put before an answer that is only looked at.
        weights: Tokens for each of `Difficulty.features`; their sum is the limit.
    """

    name: str = ""
    model: str = ""
    skip: float = 1.1
    certain: float = 0.98
    agree: int = 3
    every: int = 128
    brake: float | None = None
    least: int = 1024
    cap: int = 16384
    lead: str = ""
    weights: Mapping[str, float] = field(default_factory=dict)

    def limit(self, difficulty: Difficulty) -> int:
        """Tokens of thought for a prompt: a whole number of steps between `least` and `cap`."""
        features = difficulty.features.items()
        tokens = sum(self.weights.get(name, 0.0) * value for name, value in features)
        whole = math.ceil(max(0.0, tokens) / STEP) * STEP
        return min(self.cap, max(self.least, whole))


CAUTIOUS = Calibration(
    lead="**Final answer:** ",
    weights={"1": 2048.0, "numbers": 256.0, "entropy": 512.0, "prove": 4096.0, "code": 2048.0},
)
"""For models that nobody has calibrated: always think, stop late. Chosen by judgement."""
