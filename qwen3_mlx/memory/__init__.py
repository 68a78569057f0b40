"""What fits into this machine's memory, and how fast it may run.

Knows sizes in bytes, the machine, and the published models. Does not know files: callers count
their weights.
"""

from __future__ import annotations

from qwen3_mlx.memory.activations import attends_in_one
from qwen3_mlx.memory.estimate import (
    USUAL_CONTEXT,
    Estimate,
    Use,
    cache_bytes,
    estimate,
    estimate_within,
    prefill_chunk,
)
from qwen3_mlx.memory.fits import check_memory, longest_context
from qwen3_mlx.memory.machine import (
    bound_cache,
    can_wire,
    free_memory,
    machine_memory,
    total_memory,
    usable_bytes,
    wire_memory,
)
from qwen3_mlx.memory.sizes import GIGABYTE, shown_bytes

__all__ = [
    "GIGABYTE",
    "USUAL_CONTEXT",
    "Estimate",
    "Use",
    "attends_in_one",
    "bound_cache",
    "cache_bytes",
    "can_wire",
    "check_memory",
    "estimate",
    "estimate_within",
    "free_memory",
    "longest_context",
    "machine_memory",
    "prefill_chunk",
    "shown_bytes",
    "total_memory",
    "usable_bytes",
    "wire_memory",
]
