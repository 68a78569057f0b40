"""MLX's building blocks under types that a strict checker can follow.

Knows only that ``mlx.nn`` re-exports its layers without saying so and leaves its base class
without annotations. Adds no behaviour.
"""

from __future__ import annotations

from mlx.nn.layers.base import Module as AnyModule
from mlx.nn.layers.embedding import Embedding
from mlx.nn.layers.linear import Linear
from mlx.nn.layers.normalization import RMSNorm
from mlx.nn.layers.quantized import QuantizedEmbedding, QuantizedLinear

__all__ = [
    "AnyModule",
    "Embedding",
    "Linear",
    "Module",
    "QuantizedEmbedding",
    "QuantizedLinear",
    "RMSNorm",
]


class Module(AnyModule):
    """``mlx.nn.Module`` with an annotated constructor."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
