"""What kind of device MLX computes on, where that decides how.

Knows MLX's default device. Does not know its memory.
"""

from __future__ import annotations

import mlx.core as mx


def on_gpu() -> bool:
    """Whether the default device is a GPU (Metal or CUDA); else it is the CPU backend."""
    return mx.default_device().type == mx.DeviceType.gpu
