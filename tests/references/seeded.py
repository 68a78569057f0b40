"""Random-looking numbers that come out the same everywhere.

Knows only the standard library, so that the references' maker (PyTorch) and the tests (MLX)
build the same weights and neither has to store them.
"""

from __future__ import annotations

import hashlib
from array import array

ONE = 2**15


def seeded(name: str, count: int) -> array[int]:
    """``count`` 16-bit integers, uniform from -ONE to ONE - 1, that depend on ``name`` alone."""
    return array("h", hashlib.shake_256(name.encode()).digest(2 * count))


def affine(parameter: str) -> tuple[float, float]:
    """Scale and shift that turn integers into the weights of a parameter, exact in float32.

    Matrices get a spread that keeps activations near one; norms lie around one.
    """
    if "norm" in parameter:
        return 0.5 / ONE, 1.0
    return (1.0 if "embed_tokens" in parameter else 0.25) / ONE, 0.0
