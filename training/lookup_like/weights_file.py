"""The learned weights as a small JSON file: four bytes for each, and what they were trained on.

Knows the format that `qwen3_mlx.text.lookup_like` reads.
"""

from __future__ import annotations

import json
from array import array
from base64 import b64encode
from pathlib import Path

from qwen3_mlx.text.lookup_like import Weights

MOST = 127


def write_weights(path: Path, weights: Weights, *, trained_on: str, examples: int) -> None:
    """Writes the weights, rounded.

    Args:
        path: The file.
        weights: What was learned.
        trained_on: Digest of the training data.
        examples: How many examples were made of it.
    """
    step = max(map(abs, weights.values.values())) / MOST
    steps = {bucket: round(value / step) for bucket, value in sorted(weights.values.items())}
    kept = {bucket: value for bucket, value in steps.items() if value}
    written = {
        "trained_on": trained_on,
        "examples": examples,
        "bias": round(weights.bias, 6),
        "step": round(step, 9),
        "buckets": _packed(b"".join(bucket.to_bytes(3, "big") for bucket in kept)),
        "weights": _packed(array("b", kept.values()).tobytes()),
    }
    path.write_text(json.dumps(written, indent=1) + "\n", "utf-8")


def _packed(data: bytes) -> str:
    return b64encode(data).decode("ascii")
