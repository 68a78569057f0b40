"""What each recipe costs and saves on the bundled models: size, bits, KL divergence, right answers.

``python -m benchmarks.recipes [tiny tiny-dense] [--scale 1.0]``. Every recipe converts the
originals of ``training/originals`` into a temporary folder, in groups of 32 as the bundled files
have them. KL is that of the next-token distributions from the original's, over the replies of
held-out conversations (the right thoughts and the answer, as training writes them). Right answers
are greedy replies to the same problems without a thinking budget, judged as ``training.evaluate``
does. Everything is computed in float32, so that only rounding makes a difference.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx
from rich.console import Console
from rich.table import Table
from tokenizers import Tokenizer

import qwen3_mlx
from qwen3_mlx.convert import convert, outlook
from training.conversations import Renderer, Sample
from training.evaluate import COUNTS, MODELS, ORIGINALS, Asked, held_out, judged, replies, share

GROUP_SIZES = {
    "bf16": None,  # rounds no weight
    "8bit": 32,
    "4bit": 32,
    "mxfp4": None,  # has its own
    "mixed-4-6": 32,
    "mixed-4-8": 32,
}


@dataclass(frozen=True)
class Exam:
    """Held-out problems and their prompts, and the same as conversations with the right replies."""

    asked: list[Asked]
    samples: list[Sample]

    @property
    def tokens(self) -> int:
        """Of all the replies."""
        return sum(sum(sample.learned) for sample in self.samples)


def make_exam(name: str, scale: float) -> Exam:
    """The problems in the tokens of one of the bundled models."""
    asked = held_out({kind: max(1, round(count * scale)) for kind, count in COUNTS.items()})
    renderer = Renderer(Tokenizer.from_file(str(ORIGINALS / name / "tokenizer.json")))
    rng = random.Random(0)
    return Exam(asked, [renderer.turn(prompt, problem, "think", rng) for problem, prompt in asked])


def log_probabilities(llm: qwen3_mlx.LLM, sample: Sample) -> mx.array:
    """Of the token at each place of the reply, [tokens, vocabulary]."""
    before = [place - 1 for place, learned in enumerate(sample.learned) if learned]
    logits = llm.model(mx.array([sample.ids]))[0, mx.array(before)]
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def divergence(original: qwen3_mlx.LLM, converted: qwen3_mlx.LLM, exam: Exam) -> float:
    """Mean KL divergence of the converted model from the original, in nats a token of the reply."""
    total = 0.0
    for sample in exam.samples:
        wanted, found = (log_probabilities(llm, sample) for llm in (original, converted))
        total += float((mx.exp(wanted) * (wanted - found)).sum().item().real)
    return total / exam.tokens


def right_answers(llm: qwen3_mlx.LLM, exam: Exam) -> float:
    """In percent of the problems."""
    right = judged(exam.asked, replies(llm, exam.asked, None))
    return share(right, exam.asked, COUNTS.__contains__)


def megabytes(folder: Path) -> float:
    """Of the weights' files."""
    return sum(path.stat().st_size for path in folder.glob("*.safetensors")) / 1e6


def measure(original: qwen3_mlx.LLM, recipe: str, destination: Path, exam: Exam) -> tuple[str, ...]:
    """Convert the original by a recipe: a row of the table."""
    source, group_size = ORIGINALS / destination.name, GROUP_SIZES[recipe]
    convert(source, destination, recipe, group_size=group_size, verify=False)
    bits = outlook(source, recipe, group_size=group_size).bits_per_weight
    converted = qwen3_mlx.load(str(destination), dtype=mx.float32)
    kl = divergence(original, converted, exam)
    right = right_answers(converted, exam)
    return recipe, f"{megabytes(destination):.2f}", f"{bits:.2f}", f"{kl:.1e}", f"{right:.1f}"


def compare(name: str, scale: float) -> Table:
    """One model's table."""
    exam = make_exam(name, scale)
    original = qwen3_mlx.load(str(ORIGINALS / name), dtype=mx.float32)
    table = Table(
        title=f"{name}: {len(exam.asked)} held-out problems, {exam.tokens} reply tokens",
        caption=f"one problem is {100 / len(exam.asked):.1f} %",
    )
    for head in ("recipe", "MB", "bits per weight", "KL, nats a token", "right, %"):
        table.add_column(head, justify="right")
    table.add_row("original", "", "", "", f"{right_answers(original, exam):.1f}", end_section=True)
    for recipe in GROUP_SIZES:
        with tempfile.TemporaryDirectory() as folder:
            table.add_row(*measure(original, recipe, Path(folder) / name, exam))
    return table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the problems to ask")
    parsed = parser.parse_args()
    for name in parsed.models:
        Console(width=100).print(compare(name, parsed.scale))


if __name__ == "__main__":
    main()
