"""How long the program takes to start: `qwen3-mlx --help` beside Python itself.

``python benchmarks/startup.py [--runs 15]``. Runs are interleaved; medians are printed. The first
token of an answer is measured by ``first_token.py``.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

COMMANDS = {
    "python, nothing": ["-c", "pass"],
    "import qwen3_mlx": ["-c", "import qwen3_mlx"],
    "qwen3-mlx --help": ["-m", "qwen3_mlx", "--help"],
    "import mlx.core": ["-c", "import mlx.core"],
    "import mlx_lm": ["-c", "import mlx_lm"],
}


def seconds(arguments: list[str]) -> float:
    """Wall seconds of one whole run of Python."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *arguments], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    rounds = [[seconds(arguments) for arguments in COMMANDS.values()] for _ in range(runs + 1)]
    for name, times in zip(COMMANDS, zip(*rounds[1:], strict=True), strict=True):
        spread = f"{min(times):.2f} to {max(times):.2f}"
        print(f"{name:18} median {statistics.median(times):.2f} s  ({spread}, {runs} runs)")


if __name__ == "__main__":
    main()
