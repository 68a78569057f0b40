"""Where it was measured: the device, and the versions of MLX and of this program.

Knows what MLX says of its default device.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx.model.device import on_gpu


@dataclass(frozen=True, slots=True)
class Where:
    """Where something was measured.

    Attributes:
        device: The name of the chip.
        gpu: Whether MLX computes on its GPU.
        mlx: MLX's version.
        program: Ours.
    """

    device: str
    gpu: bool
    mlx: str
    program: str


def where() -> Where:
    """Here and now."""
    return Where(
        device=str(mx.device_info().get("device_name", "an unknown device")),
        gpu=on_gpu(),
        mlx=version("mlx"),
        program=qwen3_mlx.__version__,
    )
