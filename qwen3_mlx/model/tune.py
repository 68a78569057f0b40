"""A loaded network made fast on the device that it runs on.

Knows which rearrangement pays where. Does not know files: afterwards the weights no longer have
the names of a checkpoint.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.model.compiled import compile_step
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.expand import expand
from qwen3_mlx.model.fuse import fuse
from qwen3_mlx.model.qwen3 import Qwen3


def tune(model: Qwen3, *, spare: int, compiled: bool | None = None) -> None:
    """Rearrange a network in place; its answers stay the same.

    Args:
        spare: Bytes that weights made whole for the CPU backend may take.
        compiled: Whether to compile the decode step; None for where it costs nothing to begin
            with, on a GPU: the CPU backend needs a C++ compiler for it, some seconds on a machine
            where it has never run.
    """
    fuse(model)
    if not on_gpu() and model.model.norm.weight.dtype == mx.float32:
        expand(model, spare)
    if on_gpu() if compiled is None else compiled:
        compile_step(model)
