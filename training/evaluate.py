"""What the bundled models can do: ``python -m training.evaluate`` prints the table.

Knows the held-out problems (numbers and wordings not trained on) and how an answer is judged.
Uses the models as a user does, through ``qwen3_mlx.load``.
"""

from __future__ import annotations

import argparse
import random
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import cast

import mlx.core as mx
from rich.console import Console
from rich.progress import track
from rich.table import Table

import qwen3_mlx
from qwen3_mlx import Reply
from training.conversations import ask
from training.problems import Problem

ARITHMETIC = ("sum", "difference", "product", "story")
COUNTS = {
    "sum": 150,
    "difference": 80,
    "product": 100,
    "story": 80,
    "largest": 40,
    "lookup": 60,
    "other": 30,
}
BUDGETS = (0, 8, 16, 32, 64, 128)
MAX_TOKENS = 400
ORIGINALS = Path(__file__).parent / "originals"
MODELS = ("tiny", "tiny-dense")

Asked = tuple[Problem, str]


def held_out(counts: dict[str, int], seed: int = 7) -> list[Asked]:
    """The evaluation's problems and prompts; the same for the same seed."""
    rng = random.Random(seed)
    return [ask(kind, rng, held_out=True) for kind, count in counts.items() for _ in range(count)]


def is_right(problem: Problem, answer: str) -> bool:
    """The last number of the answer is the problem's; other prompts: the honest reply itself."""
    if problem.kind == "other":
        return answer.strip() == problem.answer
    numbers = re.findall(r"-?\d+", answer)
    return bool(numbers) and numbers[-1] == problem.answer


def replies(llm: qwen3_mlx.LLM, asked: list[Asked], budget: int | None) -> list[Reply]:
    """The model's greedy reply to each prompt within ``budget`` thinking tokens."""
    name = f"{llm.name}, budget {'none' if budget is None else budget}"
    prompts = track((p for _, p in asked), name, len(asked), console=Console(stderr=True))
    return [llm.generate(prompt, budget=budget, max_tokens=MAX_TOKENS) for prompt in prompts]


def at_budget(
    llm: qwen3_mlx.LLM, asked: list[Asked], budget: int, unlimited: list[Reply]
) -> list[Reply]:
    """Replies within ``budget``; a thought that ended by itself before it is not thought again."""
    cut = [r.stop_thinking != "natural" or r.usage.thinking_tokens >= budget for r in unlimited]
    fresh = iter(replies(llm, [a for a, c in zip(asked, cut, strict=True) if c], budget))
    return [next(fresh) if c else reply for c, reply in zip(cut, unlimited, strict=True)]


def judged(asked: list[Asked], given: list[Reply]) -> list[bool]:
    return [is_right(problem, r.answer) for (problem, _), r in zip(asked, given, strict=True)]


def share(right: list[bool], asked: list[Asked], belongs: Callable[[str], bool]) -> float:
    """Percent right among the kinds that belong."""
    counted = [r for r, (problem, _) in zip(right, asked, strict=True) if belongs(problem.kind)]
    return 100 * sum(counted) / len(counted)


def rows(asked: list[Asked], columns: list[list[bool]]) -> Iterable[tuple[str, list[float]]]:
    """One row a kind, then all arithmetic together."""
    for kind in COUNTS:
        yield kind, [share(right, asked, kind.__eq__) for right in columns]
    yield "all arithmetic", [share(right, asked, ARITHMETIC.__contains__) for right in columns]


class CountingRouter:
    """Stands in for a router and counts the experts it chooses."""

    def __init__(self, router: Callable[[mx.array], mx.array], experts: int, top_k: int) -> None:
        self.router, self.top_k = router, top_k
        self.load = mx.zeros(experts, dtype=mx.int32)

    def __call__(self, x: mx.array) -> mx.array:
        logits = self.router(x)
        chosen = mx.argpartition(logits, kth=-self.top_k, axis=-1)[..., -self.top_k :]
        self.load = self.load.at[chosen.flatten()].add(1)
        mx.eval(self.load)
        return logits


def expert_load(llm: qwen3_mlx.LLM, asked: list[Asked]) -> list[list[int]]:
    """How often each expert of each sparse layer is chosen, [layers][experts]."""
    config = llm.config
    counters = []
    for layer in llm.model.model.layers:
        counters.append(
            CountingRouter(layer.mlp.gate, config.num_experts, config.num_experts_per_tok)
        )
        layer.mlp.gate = counters[-1]
    for _, prompt in asked:
        llm.generate(prompt, budget=None, max_tokens=MAX_TOKENS)
    return [cast(list[int], counter.load.tolist()) for counter in counters]


def load_table(load: list[list[int]]) -> Table:
    table = Table(title="load of the experts (share of an even load)")
    for name in ("layer", "unused", "least", "median", "most"):
        table.add_column(name, justify="right")
    for number, counts in enumerate(load):
        even, ranked = sum(counts) / len(counts), sorted(counts)
        least, median, most = (
            f"{c / even:.2f}" for c in (ranked[0], ranked[len(ranked) // 2], ranked[-1])
        )
        table.add_row(str(number), str(counts.count(0)), least, median, most)
    return table


def evaluate(name: str, console: Console, scale: float) -> None:
    """Print one model's table: the shipped 4-bit files at each budget, the original without one."""
    asked = held_out({kind: max(1, round(count * scale)) for kind, count in COUNTS.items()})
    llm = qwen3_mlx.load(name)
    unlimited = replies(llm, asked, None)
    by_budget = [at_budget(llm, asked, budget, unlimited) for budget in BUDGETS]
    original = qwen3_mlx.load(str(ORIGINALS / name), dtype=mx.float32)
    given = [*by_budget, unlimited, replies(original, asked, None)]
    columns = [judged(asked, g) for g in given]
    table = Table(
        title=f"{name}: right answers in % of {len(asked)} held-out problems, by thinking budget"
    )
    for head in ("", *map(str, BUDGETS), "none", "float32, none"):
        table.add_column(head, justify="right")
    for kind, shares in rows(asked, columns):
        table.add_row(kind, *(f"{s:.1f}" for s in shares))
    console.print(table)
    if llm.config.num_experts:
        console.print(load_table(expert_load(llm, asked)))


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=MODELS)
    parser.add_argument("--scale", type=float, default=1.0, help="share of the problems to ask")
    parsed = parser.parse_args(arguments)
    for name in parsed.models:
        evaluate(name, Console(width=110), parsed.scale)


if __name__ == "__main__":
    main()
