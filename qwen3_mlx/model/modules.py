"""MLX's building blocks under types that a strict checker can follow.

Knows only that ``mlx.nn`` re-exports its layers without saying so and leaves its base class
without annotations. Adds no behaviour.
"""

from __future__ import annotations

from mlx.nn.layers.base import Module as _Module
from mlx.nn.layers.embedding import Embedding
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm

__all__ = ["Embedding", "Linear", "Module", "RMSNorm"]


class Module(_Module):
    """``mlx.nn.Module`` with an annotated constructor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
