"""Rows of a source to what is stored of them, by name.

Knows targets. Does not read or write files.
"""

from __future__ import annotations

import mlx.core as mx

from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.quantize import quantize


def rounded(target: Target, rows: mx.array) -> dict[str, mx.array]:
    """What is stored of some rows of a target, by name.

    On the CPU: there the same numbers give the same bytes on every chip.
    """
    with mx.stream(mx.cpu):
        if target.spec is None:
            return {target.name: rows.astype(target.dtype)}
        parts = quantize(rows, target.spec)
        return {f"{target.path}.{part}": _cast(n, target.dtype) for part, n in parts.items()}


def _cast(numbers: mx.array, dtype: mx.Dtype) -> mx.array:
    """Numbers in another dtype; codes and 8-bit scales as they are."""
    return numbers.astype(dtype) if mx.issubdtype(numbers.dtype, mx.floating) else numbers


def restored(target: Target, stored: dict[str, mx.array]) -> mx.array:
    """The numbers that stored rows stand for, float32 [rows, width]; undoes `rounded`."""
    if target.spec is None:
        return stored[target.name].astype(mx.float32)
    spec = target.spec
    weight, scales, *biases = (_cast(stored[tensor.name], mx.float32) for tensor in target.stored)
    return mx.dequantize(
        weight,
        scales,
        biases[0] if biases else None,
        group_size=spec.group_size,
        bits=spec.bits,
        mode=spec.mode,
        dtype=mx.float32,
    )
