"""The curves in the README and on the page about thinking: ``python -m docs.make_curve``.

Measures both bundled models on the demonstration tasks with `qwen3-mlx curve`, and draws them into
one picture; prints what the command shows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from docs.make_pictures import PICTURES
from qwen3_mlx.bundled import NAMES

CURVE = (sys.executable, "-m", "qwen3_mlx", "curve")


def main() -> None:
    """Measure, then draw."""
    with tempfile.TemporaryDirectory() as folder:
        saved = [str(Path(folder) / f"{name}.json") for name in NAMES]
        for name, file in zip(NAMES, saved, strict=True):
            subprocess.run([*CURVE, "demo", "--model", name, "--out", file, "--json"], check=True)
        picture = str(PICTURES / "curve.svg")
        subprocess.run([*CURVE, "--draw", *saved, "--svg", picture], check=True)


if __name__ == "__main__":
    main()
