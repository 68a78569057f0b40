"""What could keep this machine from running a model, and what to do about it.

Knows the system, Python, MLX, the disk and the hub. Imports no MLX before it asks for it, so that
it also works where MLX does not. Does not know models or screens.
"""

from __future__ import annotations

from qwen3_mlx.health.facts import Health, examine
from qwen3_mlx.health.findings import Finding, findings
from qwen3_mlx.health.probes import Mlx, Probes

__all__ = ["Finding", "Health", "Mlx", "Probes", "examine", "findings"]
