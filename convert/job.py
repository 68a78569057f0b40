"""What a conversion is, apart from how far it has come.

Knows versions and digests. Does not know files.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version

from qwen3_mlx import __version__
from qwen3_mlx.convert.plan import Plan
from qwen3_mlx.convert.sources import Source
from qwen3_mlx.convert.writer import to_json


def job_of(plan: Plan, source: Source, *, verify: bool, learned: str | None = None) -> str:
    """A digest of everything that the result depends on besides the source's numbers.

    Args:
        plan: What becomes of them.
        source: Where they are.
        verify: Whether the result is compared with them.
        learned: A digest of the numbers that are stored, if they were learned.
    """
    parts = {
        "config": source.raw_config,
        "index": plan.index(),
        "dtypes": [str(target.dtype) for target in plan.targets],
        "quantization": plan.quantization,
        "verify": verify,
        "learned": learned,
        "versions": versions(),
    }
    return hashlib.sha256(to_json(parts).encode()).hexdigest()


def versions() -> dict[str, str]:
    """Of what the bytes depend on."""
    return {"qwen3-mlx": __version__, "mlx": version("mlx")}
