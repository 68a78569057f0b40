"""A mixture of experts of Qwen3-30B-A3B's layer shapes at 4 bits, with random weights.

Its vocabulary is smaller by the same factor as its layers are fewer, so that experts are as much
of it as they are of the real one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mlx.core as mx

from benchmarks.convert_memory import CONFIG, VOCABULARY
from qwen3_mlx.checkpoint.layout import expected_tensors, module_specs
from qwen3_mlx.checkpoint.quantization import Quantization
from qwen3_mlx.checkpoint.reader import DTYPES, WEIGHTS
from qwen3_mlx.convert.writer import ShardWriter, StoredTensor
from qwen3_mlx.model import Qwen3Config

REAL_LAYERS = 48
SCALE = 0.005  # of 4-bit weights: a standard deviation of about 1 / sqrt(hidden size)
POOL = 2**24


def config_of(layers: int) -> dict[str, Any]:
    rounding = {"group_size": 64, "bits": 4, "mode": "affine"}
    gates = {f"model.layers.{n}.mlp.gate": {**rounding, "bits": 8} for n in range(layers)}
    return {
        **CONFIG,
        "num_hidden_layers": layers,
        "vocab_size": VOCABULARY * layers // REAL_LAYERS // 64 * 64,
        "quantization": {**rounding, **gates},
    }


def write_model(folder: Path, layers: int) -> None:
    """A folder with the synthetic model, written a part of a tensor at a time."""
    raw = config_of(layers)
    (folder / "config.json").write_text(json.dumps(raw), "utf-8")
    config, rounding = Qwen3Config.from_hf(raw), Quantization.from_hf(raw)
    specs = module_specs(config, rounding, Everything())
    tensors = [
        StoredTensor(name, DTYPES["BF16" if "BF16" in each.dtypes else each.dtypes[0]], each.shape)
        for name, each in expected_tensors(config, specs).items()
    ]
    pool = mx.random.randint(0, 2**32, (POOL,), mx.uint32, key=mx.random.key(0))
    with ShardWriter(folder / WEIGHTS, tensors) as writer:
        for tensor in tensors:
            for rows in numbers(tensor, pool):
                writer.append(tensor.name, rows)


class Everything:
    """Holds all names: every weight that may have scales has them."""

    def __contains__(self, _: object) -> bool:
        return True


def numbers(tensor: StoredTensor, pool: mx.array) -> Iterator[mx.array]:
    """The numbers of a tensor, some at a time: random bits, and constants for all else."""
    kind = tensor.name.rpartition(".")[2]
    constant = {"scales": SCALE, "biases": -7.5 * SCALE}.get(kind, 1.0)
    left = tensor.nbytes // tensor.dtype.size
    while left:
        count = min(left, POOL)
        if tensor.dtype == mx.uint32:
            yield pool[:count]
        else:
            yield mx.full((count,), constant, tensor.dtype)
        left -= count
