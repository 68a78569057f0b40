"""Logistic regression over sparse features, by stochastic gradient descent with AdaGrad.

Knows numbers alone. Plain Python, because a minute is soon enough and nothing has to be installed.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from math import exp, sqrt
from typing import TypeAlias

from qwen3_mlx.text.lookup_like import Weights

Row: TypeAlias = dict[int, float]

EPOCHS = 8
RATE = 0.3
DECAY = 3e-5
"""L2 penalty on a weight, each time that its feature is seen."""

SEEN = 6
"""Examples that a feature must be in to be learned."""

KEPT = 20_000
"""Weights that are kept: those that move scores most."""

DROPPED = 0.5
"""Share of a row's features that are left out each time, so that none is relied on alone."""


def fit(rows: Sequence[Row], labels: Sequence[bool], seed: int = 1) -> Weights:
    """The weights for these rows; the same for the same rows and seed.

    Duchi et al., 2011, "Adaptive Subgradient Methods": each weight has a step size of its own.
    """
    sizes = _sizes(rows)
    values, squares = dict.fromkeys(sizes, 0.0), dict.fromkeys(sizes, 1e-6)
    bias, rng = 0.0, random.Random(seed)
    pairs = [
        ([item for item in row.items() if item[0] in sizes], label)
        for row, label in zip(rows, labels, strict=True)
    ]
    for _ in range(EPOCHS):
        rng.shuffle(pairs)
        for items, label in pairs:
            row = [item for item in items if rng.random() >= DROPPED]
            total = bias + sum(values[bucket] * value for bucket, value in row)
            wrong = 1 / (1 + exp(-total)) - label
            bias -= 0.01 * wrong
            for bucket, value in row:
                slope = wrong * value + DECAY * values[bucket]
                squares[bucket] += slope * slope
                values[bucket] -= RATE * slope / sqrt(squares[bucket])
    return Weights(bias, _weighty(values, sizes))


def _sizes(rows: Sequence[Row]) -> dict[int, float]:
    """The mean value of each feature that is seen often enough to be learned from."""
    seen, total = Counter[int](), Counter[int]()
    for row in rows:
        seen.update(row.keys())
        total.update(row)
    return {bucket: total[bucket] / times for bucket, times in seen.items() if times >= SEEN}


def _weighty(values: dict[int, float], sizes: dict[int, float]) -> dict[int, float]:
    """The weights that move a score most."""
    ranked = sorted(values, key=lambda bucket: (-abs(values[bucket] * sizes[bucket]), bucket))
    return {bucket: values[bucket] for bucket in ranked[:KEPT]}
