"""What `thinking="auto"` costs and saves: right answers and thoughts, beside always and never.

``python -m benchmarks.when_to_think [--problems 60]``. The bundled models on held-out problems of
each kind, greedily, without a limit to the thoughts.
"""

from __future__ import annotations

import argparse

from rich.console import Console
from rich.table import Table

import qwen3_mlx
from qwen3_mlx import LLM
from qwen3_mlx.generation.mode import Thinking
from training.evaluate import MAX_TOKENS, MODELS, Asked, held_out, is_right

KINDS = ("lookup", "sum", "difference", "product", "story", "largest")
MODES: tuple[Thinking, ...] = (True, False, "auto")
NAMES = {True: "on", False: "off", "auto": "auto"}


def measured(llm: LLM, asked: list[Asked], thinking: Thinking) -> tuple[int, float]:
    """Right answers, and tokens of thought in the mean."""
    right = thoughts = 0
    for problem, prompt in asked:
        reply = llm.generate(prompt, thinking=thinking, budget=None, max_tokens=MAX_TOKENS)
        right += is_right(problem, reply.answer)
        thoughts += reply.usage.thinking_tokens
    return right, thoughts / len(asked)


def table(llm: LLM, problems: int) -> Table:
    made = Table(title=f"{llm.name}: right of {problems} (tokens of thought, the mean)")
    for head in ("", *(NAMES[mode] for mode in MODES)):
        made.add_column(head, justify="right" if head else "left")
    for kind in KINDS:
        asked = held_out({kind: problems})
        cells = (measured(llm, asked, mode) for mode in MODES)
        made.add_row(kind, *(f"{right} ({thoughts:.1f})" for right, thoughts in cells))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=60, help="of each kind")
    problems = parser.parse_args().problems
    for name in MODELS:
        Console(width=100).print(table(qwen3_mlx.load(name), problems))


if __name__ == "__main__":
    main()
