"""What a budget that sets itself saves: ``python -m benchmarks.auto_budget``.

Asks the bundled models held-out problems, as many of each kind, without a limit, with the budget
`auto` and each of its parts alone, and within fixed budgets. Prints right answers, thinking tokens,
tokens that were only looked at, and seconds; and what the best fixed budget of the same mean
number of thinking tokens gets right.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from time import perf_counter

from rich.console import Console
from rich.progress import track
from rich.table import Table

import qwen3_mlx
from qwen3_mlx import LLM
from qwen3_mlx.evaluation.interval import wilson
from qwen3_mlx.generation.thinking import AutoBudget, Limit
from training.conversations import ask
from training.evaluate import Asked, is_right

KINDS = ("sum", "difference", "product", "story", "largest", "lookup", "other")
FIXED = (0, 8, 12, 16, 20, 24, 32)
AUTOS: dict[str, Limit] = {
    "no end": None,
    "auto": "auto",
    "before alone": AutoBudget(brake=False, check=False, extend=False),
    "brake alone": AutoBudget(before=False, check=False, extend=False),
    "check alone": AutoBudget(before=False, brake=False, extend=False),
}
HEADS = ("budget", "right", "% (95 %)", "% of no end", "thinking", "% of no end", "looked", "ms")
MODELS = ("tiny", "tiny-dense")
MAX_TOKENS = 400


@dataclass(frozen=True)
class Row:
    """What all problems came to within one budget: right answers, and means of each reply."""

    name: str
    right: int
    asked: int
    thinking_tokens: float
    probed_tokens: float
    seconds: float

    @property
    def share(self) -> float:
        """Percent right."""
        return 100 * self.right / self.asked


def problems(each: int, seed: int) -> list[Asked]:
    """Held-out problems, as many of each kind."""
    rng = random.Random(seed)
    return [ask(kind, rng, held_out=True) for kind in KINDS for _ in range(each)]


def answered(llm: LLM, name: str, budget: Limit, asked: Sequence[Asked]) -> Row:
    """All problems within one budget."""
    right, thought, probed, seconds = 0, [], [], []
    for problem, prompt in track(asked, f"{llm.name}, {name}", console=Console(stderr=True)):
        begun = perf_counter()
        reply = llm.generate(prompt, budget=budget, max_tokens=MAX_TOKENS)
        seconds.append(perf_counter() - begun)
        right += is_right(problem, reply.answer)
        thought.append(reply.usage.thinking_tokens)
        probed.append(reply.usage.probed_tokens)
    means = (statistics.mean(values) for values in (thought, probed, seconds))
    return Row(name, right, len(asked), *means)


def best_fixed(rows: Sequence[Row], tokens: float) -> float:
    """Percent right of a fixed budget that uses so many tokens, between its neighbours.

    Mixing two budgets at random reaches every point of the line between them.
    """
    ways = [(a, b) for a in rows for b in rows if a.thinking_tokens <= tokens <= b.thinking_tokens]
    return max(_between(a, b, tokens) for a, b in ways)


def _between(a: Row, b: Row, tokens: float) -> float:
    width = b.thinking_tokens - a.thinking_tokens
    part = (tokens - a.thinking_tokens) / width if width else 0.0
    return a.share + part * (b.share - a.share)


def lines(rows: Sequence[Row], whole: Row) -> Iterator[tuple[str, ...]]:
    """A line of the table for each row."""
    for row in rows:
        interval = wilson(row.right, row.asked)
        yield (
            row.name,
            f"{row.right}/{row.asked}",
            f"{row.share:.1f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})",
            f"{100 * row.right / whole.right:.1f}",
            f"{row.thinking_tokens:.1f}",
            f"{100 * row.thinking_tokens / whole.thinking_tokens:.1f}",
            f"{row.probed_tokens:.0f}",
            f"{1000 * row.seconds:.0f}",
        )


def measure(name: str, asked: Sequence[Asked], console: Console) -> None:
    """Print one model's table."""
    llm = qwen3_mlx.load(name)
    rows = [answered(llm, label, budget, asked) for label, budget in AUTOS.items()]
    fixed = [answered(llm, f"budget {budget}", budget, asked) for budget in FIXED]
    table = Table(title=f"{name}: {len(asked)} held-out problems, {llm.calibration}", width=110)
    heads = (
        "budget",
        "right",
        "% (95 %)",
        "% of no end",
        "thinking",
        "% of no end",
        "looked",
        "ms",
    )
    for head in heads:
        table.add_column(head, justify="right")
    for line in lines([*rows, *fixed], rows[0]):
        table.add_row(*line)
    console.print(table)
    auto = next(row for row in rows if row.name == "auto")
    instead = best_fixed([*fixed, rows[0]], auto.thinking_tokens)
    console.print(
        f"auto: {auto.share:.1f} % right with {auto.thinking_tokens:.1f} tokens; the best fixed"
        f" budget of the same mean: {instead:.1f} %; {auto.share - instead:+.1f} points"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--each", type=int, default=60, help="problems of each kind")
    parser.add_argument("--seed", type=int, default=2026)
    arguments = parser.parse_args()
    asked = problems(arguments.each, arguments.seed)
    for name in arguments.models:
        measure(name, asked, Console(width=110))


if __name__ == "__main__":
    main()
