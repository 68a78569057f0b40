"""Size against right answers when experts are pruned from `tiny`, by REAP and by frequency.

``python -m benchmarks.pruning [--scale 1.0]``. The shipped 4-bit model is pruned to each number of
experts by ``qwen3_mlx.convert.prune``. The calibration text is problems of the training, never held
out, each with the whole model's own greedy reply, thoughts included. Right answers are greedy
replies to held-out problems without a thinking budget, judged as ``training.evaluate`` does.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.table import Table

import qwen3_mlx
from benchmarks.recipes import megabytes
from qwen3_mlx.convert import Pruning, prune
from qwen3_mlx.convert.prune_choice import METHODS, Method
from training.conversations import SHARES, ask
from training.evaluate import COUNTS, Asked, held_out, judged, replies, share

MODEL = "tiny"
EXPERTS = (112, 96, 80, 64, 48, 32)
CALIBRATION_PROBLEMS = 200


def trained_on(count: int) -> list[Asked]:
    """Problems of the training, in its shares; the same each time."""
    rng = random.Random(11)
    kinds = rng.choices(tuple(SHARES), weights=tuple(SHARES.values()), k=count)
    return [ask(kind, rng, held_out=False) for kind in kinds]


def conversations(llm: qwen3_mlx.LLM, asked: list[Asked]) -> Iterator[str]:
    """Each problem with the model's own reply, as a line of JSON."""
    for (_, prompt), reply in zip(asked, replies(llm, asked, None), strict=True):
        said = {"role": "assistant", "reasoning_content": reply.thinking, "content": reply.answer}
        yield json.dumps({"messages": [{"role": "user", "content": prompt}, said]}) + "\n"


def right_answers(llm: qwen3_mlx.LLM, asked: list[Asked]) -> float:
    """In percent of the problems."""
    return share(judged(asked, replies(llm, asked, None)), asked, COUNTS.__contains__)


def least(pruning: Pruning) -> tuple[float, float]:
    """The smallest part of the scores and of the load that a layer kept."""
    layers = pruning.layers
    return min(one.kept_score for one in layers), min(one.kept_load for one in layers)


def measure(keep: int, method: Method, text: Path, folder: Path, asked: list[Asked]) -> list[str]:
    """Prune into a folder: the cells of one method in a row of the table."""
    pruning = prune(MODEL, folder, keep=keep, calibrate=text, method=method)
    score, load = least(pruning)
    right = right_answers(qwen3_mlx.load(str(folder)), asked)
    return [f"{score:.1%}", f"{load:.1%}", f"{right:.1f}"]


def empty_table(asked: list[Asked]) -> Table:
    table = Table(
        title=(
            f"{MODEL}: {len(asked)} held-out problems; experts chosen on {CALIBRATION_PROBLEMS} "
            "problems of the training"
        ),
        caption=(
            "scores and load: kept, of the layer that kept least\n"
            f"one problem is {100 / len(asked):.1f} %"
        ),
    )
    cells = [f"{name}\n{what}" for name in METHODS for what in ("scores", "load", "right, %")]
    for head in ("experts", "MB", *cells):
        table.add_column(head, justify="right")
    return table


def row(keep: int, text: Path, asked: list[Asked]) -> list[str]:
    """Both methods with so many experts."""
    cells = []
    with tempfile.TemporaryDirectory() as name:
        for method in METHODS:
            folder = Path(name) / method
            cells += measure(keep, method, text, folder, asked)
        return [str(keep), f"{megabytes(folder):.2f}", *cells]


def compare(scale: float) -> Table:
    """The whole table."""
    asked = held_out({kind: max(1, round(count * scale)) for kind, count in COUNTS.items()})
    whole = qwen3_mlx.load(MODEL)
    with tempfile.TemporaryDirectory() as name:
        text = Path(name) / "calibration.jsonl"
        text.write_text("".join(conversations(whole, trained_on(CALIBRATION_PROBLEMS))), "utf-8")
        table = empty_table(asked)
        right = f"{right_answers(whole, asked):.1f}"
        whole_row = (str(whole.config.num_experts), f"{megabytes(whole.path):.2f}")
        table.add_row(*whole_row, *("100.0%", "100.0%", right) * len(METHODS), end_section=True)
        for keep in EXPERTS:
            table.add_row(*row(keep, text, asked))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the problems to ask")
    Console(width=100).print(compare(parser.parse_args().scale))


if __name__ == "__main__":
    main()
