"""Tokens a second, ours against mlx-lm: prefill, decode, and the Python time of a step.

``python -m benchmarks.decode [--runs 7] [--tokens 128] [--prompt 512]``, on `tiny`, `tiny-dense`,
and a dense and a mixture-of-experts model of 8 layers with random weights, all at 4 bits. The same
files, in turn in one process; medians, with the least and the most. mlx-lm computes in float32 as
we do; its own choice, the checkpoint's bfloat16, is measured apart. Greedy; all must say the same.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import mlx.core as mx

import qwen3_mlx
from benchmarks import synthetic
from qwen3_mlx.measure import Continued, mlx_lm_continued

OURS, COMPILED, PEER, PEER_HALF = "ours", "ours, compiled", "mlx-lm", "mlx-lm, bfloat16"
SHORT = 16  # tokens of the prompt before a decode


class Cost(NamedTuple):
    """Seconds: on the clock, of all threads, and of the one that Python runs in."""

    wall: float
    cpu: float
    python: float


def cost(work: Callable[[], object]) -> Cost:
    clocks = (time.perf_counter, time.process_time, time.thread_time)
    before = [clock() for clock in clocks]
    work()
    mx.synchronize()
    return Cost(*(clock() - start for clock, start in zip(clocks, before, strict=True)))


def ours(path: Path, *, compiled: bool) -> Continued:
    llm = qwen3_mlx.load(str(path), compiled=compiled)
    return lambda ids, count: llm.stream_ids(ids, max_tokens=count)


def prompt(length: int) -> list[int]:
    return [7 * i % 1500 + 5 for i in range(length)]


def measure(
    peers: dict[str, Continued], length: int, tokens: int, runs: int
) -> dict[str, list[Cost]]:
    """Costs of each peer, in turn; the first round warms up."""
    costs: dict[str, list[Cost]] = {name: [] for name in peers}
    for _ in range(runs + 1):
        for name, continued in peers.items():
            costs[name].append(cost(lambda run=continued: list(run(prompt(length), tokens))))
    return {name: measured[1:] for name, measured in costs.items()}


def show(title: str, costs: dict[str, list[Cost]], count: int) -> None:
    """A line for each peer: milliseconds a token, and how many times as fast as mlx-lm."""
    print(f"  {title}")
    for name, measured in costs.items():
        parts = []
        for clock in Cost._fields:
            own = [getattr(c, clock) for c in measured]
            theirs = statistics.median(getattr(c, clock) for c in costs[PEER])
            median = statistics.median(own)
            spread = f"{1000 * min(own) / count:.2f}-{1000 * max(own) / count:.2f}"
            parts.append(f"{clock} {1000 * median / count:6.3f} ({spread}) {theirs / median:5.2f}x")
        print(f"    {name:18} " + "   ".join(parts))


def compare(name: str, path: Path, args: argparse.Namespace) -> None:
    peers = {
        OURS: ours(path, compiled=False),
        COMPILED: ours(path, compiled=True),
        PEER: mlx_lm_continued(path, mx.float32),
    }
    said = {name: list(run(prompt(SHORT), args.tokens)) for name, run in peers.items()}
    same = all(ids == said[PEER] for ids in said.values())
    print(f"{name}: the same tokens: {'yes' if same else 'NO'}")
    show("decode, ms a token", measure(peers, SHORT, args.tokens, args.runs), args.tokens)
    show("prefill, ms a token", measure(peers, args.prompt, 1, args.runs), args.prompt)
    half = {PEER: peers[PEER], PEER_HALF: mlx_lm_continued(path, mx.bfloat16)}
    show("decode in mlx-lm's own type, not counted", measure(half, SHORT, 8, 1), 8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--prompt", type=int, default=512)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        models = {name: qwen3_mlx.bundled.bundled_path(name) for name in ("tiny", "tiny-dense")}
        models["dense, 8 layers"] = synthetic.write(synthetic.DENSE, Path(folder) / "dense")
        models["MoE, 8 layers"] = synthetic.write(synthetic.MOE, Path(folder) / "moe")
        for name, path in models.items():
            compare(name, path, args)


if __name__ == "__main__":
    main()
