"""Rotary positions: which angle each pair of dimensions turns by at each position.

Knows the plain, linear and YaRN frequencies. Does not know attention.
"""

from __future__ import annotations

import math

import mlx.core as mx

from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.scaling import RopeScaling


class Rope:
    """Rotates queries and keys; one object serves all layers.

    Not a module: it has nothing that a checkpoint could load.

    Attributes:
        score_factor: What YaRN multiplies attention scores with (1.0 without). Scaling queries
            and keys by the attention factor each, as Hugging Face does, is the same.
    """

    def __init__(self, config: Qwen3Config) -> None:
        scaling = config.rope_scaling
        self._dims = config.head_dim
        self._wavelengths = mx.array(wavelengths(config.head_dim, config.rope_theta, scaling))
        self.score_factor = scaling.attention_factor**2 if scaling else 1.0

    def __call__(self, x: mx.array, offset: int | mx.array) -> mx.array:
        """Rotate ``x`` [B, heads, L, head_dim], whose first position is ``offset``.

        An array of B offsets has one for each sequence.
        """
        return mx.fast.rope(
            x,
            self._dims,
            traditional=False,
            base=None,
            scale=1.0,
            offset=offset,
            freqs=self._wavelengths,
        )


def wavelengths(dims: int, theta: float, scaling: RopeScaling | None) -> list[float]:
    """Positions per radian for each pair of dimensions: one over Hugging Face's ``inv_freq``.

    Computed in double precision: at position 40,000 a relative error of 1e-6 in a frequency
    is already 0.04 radians.
    """
    plain = [theta ** (2 * pair / dims) for pair in range(dims // 2)]
    if scaling is None:
        return plain
    if scaling.rope_type == "linear":
        return [scaling.factor * wavelength for wavelength in plain]
    stretched = yarn_ramp(dims, theta, scaling)
    return [
        1.0 / ((1.0 - share) / wavelength + share / (scaling.factor * wavelength))
        for share, wavelength in zip(stretched, plain, strict=True)
    ]


def yarn_ramp(dims: int, theta: float, scaling: RopeScaling) -> list[float]:
    """How far each pair is stretched: 0 (fast pairs, kept) to 1 (slow ones, divided)."""

    def border(rotations: float) -> float:
        turns = scaling.original_max_position_embeddings / (rotations * 2 * math.pi)
        return dims * math.log(turns) / (2 * math.log(theta))

    low, high = border(scaling.beta_fast), border(scaling.beta_slow)
    if scaling.truncate:
        low, high = math.floor(low), math.ceil(high)
    low, high = max(low, 0), min(high, dims - 1)
    width = high - low or 0.001
    return [min(max((pair - low) / width, 0.0), 1.0) for pair in range(dims // 2)]
