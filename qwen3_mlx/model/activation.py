"""The gate of Qwen3's MLPs, dense and sparse."""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.model.device import on_gpu


def swiglu(gate: mx.array, up: mx.array) -> mx.array:
    """``silu(gate) * up``, elementwise; one kernel on a GPU.

    Not compiled on the CPU backend: there it takes a C++ compiler the better part of a second,
    and runs no faster.
    """
    return _fused(gate, up) if on_gpu() else _swiglu(gate, up)


def _swiglu(gate: mx.array, up: mx.array) -> mx.array:
    return gate * mx.sigmoid(gate) * up


_fused = mx.compile(_swiglu, shapeless=True)
