"""From the start of the process to the first token of an answer: ours against mlx-lm.

``python benchmarks/first_token.py [--runs 7]``. Both get the same 4-bit files with float32 scales
(mlx-lm's own choice of bfloat16 is many times slower on the CPU backend and would not be a fair
peer), the same prompt, and no thinking. Runs are interleaved; medians are printed.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import mlx.core as mx

from qwen3_mlx import bundled

PROMPT = "What is 2 + 3?"
HEADER = b"=" * 10 + b"\n"  # mlx_lm.generate prints it before the text


def in_float32(source: Path, destination: Path) -> Path:
    """The same checkpoint with its bfloat16 numbers widened; the packed weights stay."""
    shutil.copytree(source, destination)
    for path in source.glob("*.safetensors"):
        tensors = mx.load(str(path))
        wide = {
            k: v.astype(mx.float32) if v.dtype == mx.bfloat16 else v for k, v in tensors.items()
        }
        mx.save_safetensors(str(destination / path.name), wide, {"format": "mlx"})
    return destination


def ours(model: Path) -> list[str]:
    return [sys.executable, "-m", "qwen3_mlx", "ask", PROMPT, "--model", str(model), "--no-think"]


def mlx_lm(model: Path) -> list[str]:
    switches = ["--chat-template-config", '{"enable_thinking": false}', "--max-tokens", "32"]
    return [
        sys.executable,
        "-m",
        "mlx_lm",
        "generate",
        "--model",
        str(model),
        "--prompt",
        PROMPT,
        *switches,
    ]


def seconds_to_text(command: list[str], header: bytes) -> float:
    """Wall seconds from starting the process until it has printed more than its header."""
    started = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    seen = b""
    while process.stdout and len(seen) <= len(header):
        chunk = process.stdout.read(64)
        if not chunk:
            raise SystemExit(f"no answer from: {' '.join(command)}")
        seen += chunk
    passed = time.perf_counter() - started
    process.communicate()
    return passed


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        model = in_float32(bundled.bundled_path("tiny"), Path(folder) / "tiny")
        peers = {"qwen3-mlx": (ours(model), b""), "mlx-lm": (mlx_lm(model), HEADER)}
        seconds: dict[str, list[float]] = {name: [] for name in peers}
        for _ in range(runs + 1):
            for name, (command, header) in peers.items():
                seconds[name].append(seconds_to_text(command, header))
    medians = {name: statistics.median(times[1:]) for name, times in seconds.items()}
    for name, times in seconds.items():
        spread = f"{min(times[1:]):.2f} to {max(times[1:]):.2f}"
        print(f"{name:10} median {medians[name]:.2f} s  ({spread}, {runs} runs)")
    print(f"first token {medians['mlx-lm'] / medians['qwen3-mlx']:.1f}x sooner")


if __name__ == "__main__":
    main()
