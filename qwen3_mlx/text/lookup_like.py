"""Whether a message is worth thinking about: looking up, quoting and translating are not.

Knows rules and a small classifier: logistic regression over hashed features, in plain Python, with
weights from `training/lookup_like`. Looks at what a person asks, not at what a model could answer.
Does not know models, switches or budgets.
"""

from __future__ import annotations

import json
from array import array
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from math import exp
from pathlib import Path

from qwen3_mlx.text.asked import take_apart
from qwen3_mlx.text.lookup_features import features
from qwen3_mlx.text.lookup_rules import matching

WEIGHTS = Path(__file__).with_name("lookup_like.json")
THRESHOLD = 0.6
"""From this score on it is thought; the best of a few on `development.jsonl`."""

LOOKUP_LIKE, NOT_LOOKUP_LIKE = "lookup-like", "not lookup-like"


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether to think about a message.

    Attributes:
        think: Whether it is worth it.
        reason: Why, in a few words: `lookup-like`.
        score: How sure it is that thinking helps, 0 to 1; a rule is quite sure.
    """

    think: bool
    reason: str
    score: float


@dataclass(frozen=True, slots=True)
class Weights:
    """What was learned: a number for some of the buckets, and one for all messages."""

    bias: float
    values: Mapping[int, float]

    def score(self, row: dict[int, float]) -> float:
        """The probability, 0 to 1, that a message with these features is worth thinking about."""
        get = self.values.get
        total = self.bias + sum(get(bucket, 0.0) * value for bucket, value in row.items())
        return 1 / (1 + exp(-max(-30.0, min(30.0, total))))


def decide(text: str, typed: str | None = None) -> Decision:
    """Whether to think about a message, in any of nine languages.

    Its first and last thousand characters are looked at; a millisecond or two, whatever it holds.

    Args:
        text: The message.
        typed: The part of it that a person typed, where the request is; None: all of it.
    """
    message = take_apart(text, typed)
    rule = matching(message)
    if rule is not None:
        return Decision(rule.think, rule.reason, float(rule.think))
    score = _weights().score(features(message))
    think = score >= THRESHOLD
    return Decision(think, NOT_LOOKUP_LIKE if think else LOOKUP_LIKE, score)


@cache
def _weights() -> Weights:
    data = json.loads(WEIGHTS.read_text("utf-8"))
    packed, steps = b64decode(data["buckets"]), array("b", b64decode(data["weights"]))
    buckets = (int.from_bytes(packed[at : at + 3], "big") for at in range(0, len(packed), 3))
    values = (data["step"] * step for step in steps)
    return Weights(data["bias"], dict(zip(buckets, values, strict=True)))
