"""Whether a model calls the calculator: ``python -m training.evaluate_calls`` prints the figures.

Asks held-out products of two three-digit numbers, with the calculator alone and among other tools,
thinking and not, through ``qwen3_mlx.load`` as a person does.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

import qwen3_mlx
from qwen3_mlx.evaluation.interval import wilson
from qwen3_mlx.events import Reply
from qwen3_mlx.tools.calculator import CALCULATOR
from qwen3_mlx.tools.clock import clock_tool
from qwen3_mlx.tools.files import file_tools
from qwen3_mlx.tools.tool import Tool
from training.calls import expression_of, make_long_product
from training.evaluate import is_right
from training.problems import Problem
from training.wordings import word


@dataclass(frozen=True)
class Figures:
    """What the replies to some products came to."""

    calls: int
    answers: int
    asked: int


def products(count: int, seed: int) -> list[tuple[Problem, str]]:
    """Held-out products in held-out wordings; the same for the same seed."""
    rng = random.Random(seed)
    problems = [make_long_product(rng, held_out=True) for _ in range(count)]
    return [(problem, word(problem, rng, held_out=True)) for problem in problems]


def called_right(problem: Problem, reply: Reply) -> bool:
    """Whether the first step was one call of the calculator with the right expression."""
    calls = reply.steps[0].tool_calls
    wanted = {"expression": expression_of(problem)}
    return [(call.name, dict(call.arguments)) for call in calls] == [(CALCULATOR.name, wanted)]


def measure(
    llm: qwen3_mlx.LLM, asked: Sequence[tuple[Problem, str]], tools: list[Tool], *, thinking: bool
) -> Figures:
    """Right calls and right answers."""
    calls = answers = 0
    for problem, prompt in track(asked, console=Console(stderr=True)):
        reply = llm.generate(prompt, tools=tools, thinking=thinking, max_tokens=400)
        calls += called_right(problem, reply)
        answers += is_right(problem, reply.answer)
    return Figures(calls, answers, len(asked))


def shown(right: int, asked: int) -> str:
    interval = wilson(right, asked)
    return f"{100 * right / asked:.1f} ({100 * interval.low:.1f}-{100 * interval.high:.1f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", nargs="?", default="tiny")
    parser.add_argument("--count", type=int, default=200)
    parsed = parser.parse_args()
    llm, asked = qwen3_mlx.load(parsed.model), products(parsed.count, seed=7)
    several = [*file_tools(Path()), CALCULATOR, clock_tool()]
    table = Table(title=f"{parsed.model}: {parsed.count} held-out products, 3 by 3 digits, in %")
    for head in ("tools offered", "thinking", "right calls (95 %)", "right answers (95 %)"):
        table.add_column(head)
    for label, tools in (("calculator", [CALCULATOR]), ("four", several)):
        for thinking in (True, False):
            found = measure(llm, asked, tools, thinking=thinking)
            marks = (shown(right, found.asked) for right in (found.calls, found.answers))
            table.add_row(label, "on" if thinking else "off", *marks)
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
