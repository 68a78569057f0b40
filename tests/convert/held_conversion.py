"""A program for `test_resume`: a conversion that stops in its midst until it is told to go on.

`held_conversion.py SOURCE DESTINATION`: writes `held` after the first tensor, and reads a line.
"""

from __future__ import annotations

import sys
from pathlib import Path

from qwen3_mlx.convert import Progress, convert


class Holder:
    """Called after each tensor; waits at the first."""

    def __init__(self) -> None:
        self._waited = False

    def __call__(self, _: Progress) -> None:
        if self._waited:
            return
        self._waited = True
        sys.stdout.write("held\n")
        sys.stdout.flush()
        sys.stdin.readline()


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), progress=Holder())
