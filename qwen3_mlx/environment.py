"""What must be settled before MLX starts: variables that it reads once, and what macOS says.

Knows `sysctl` and MLX's environment variables. Imports no MLX, and nothing of the project.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, MutableMapping

CHIP = "machdep.cpu.brand_string"

# After so many operations, or so many MB of inputs, MLX hands a command buffer to the GPU; its own
# numbers are 50 and 50 on an Ultra. Published for the M3 Ultra (mlx issue 4521): with these, a
# mixture of experts decodes 5 to 8 % faster, a dense model the same, and the peak of memory is the
# same; on an M5 Max, flat (mlxcel pull request 358). Not measured here.
ULTRA_BUFFERS = {"MLX_MAX_OPS_PER_BUFFER": "1000", "MLX_MAX_MB_PER_BUFFER": "400"}

TIMEOUT = 2.0


def sysctl(name: str) -> str | None:
    """What macOS says about itself under that name; None where it says nothing, or elsewhere."""
    if os.uname().sysname != "Darwin":
        return None
    try:
        done = subprocess.run(
            ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, timeout=TIMEOUT
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return (done.stdout.strip() or None) if done.returncode == 0 else None


def prepare_metal(
    environ: MutableMapping[str, str] = os.environ, ask: Callable[[str], str | None] = sysctl
) -> None:
    """Let MLX fill larger command buffers where that was found to be faster: on Ultra chips.

    Has to come before MLX is imported. Variables that are set already stay as they are.
    """
    if all(name in environ for name in ULTRA_BUFFERS):
        return
    if (ask(CHIP) or "").endswith("Ultra"):
        for name, value in ULTRA_BUFFERS.items():
            environ.setdefault(name, value)
