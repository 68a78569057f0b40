"""The tasks that ship with the package: ``python -m training.tasks`` writes both files.

Knows how held-out problems become tasks of `qwen3-mlx curve`. They are neither the evaluation's
(another seed, and its prompts are left out) nor each other's.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from itertools import chain, zip_longest
from pathlib import Path

from training.conversations import ask
from training.evaluate import ARITHMETIC, COUNTS, Asked, held_out

KINDS = (*ARITHMETIC, "largest", "lookup")
FOLDER = Path(__file__).parents[1] / "qwen3_mlx" / "evaluation"
SEED = 11
FILES = {"demo": (32, 8), "calibration": (48, 12)}
"""Of each kind so many tasks, and so many that the models can only decline."""


def choose(each: int, others: int, rng: random.Random, taken: set[str]) -> Iterator[Asked]:
    """Problems and prompts, the kinds in turn, so that the first few are a fair sample.

    Their prompts are added to those taken.
    """
    counts = {**dict.fromkeys(KINDS, each), "other": others}
    kinds = zip_longest(*([kind] * count for kind, count in counts.items()))
    for kind in filter(None, chain.from_iterable(kinds)):
        problem, prompt = ask(kind, rng, held_out=True)
        while prompt in taken:
            problem, prompt = ask(kind, rng, held_out=True)
        taken.add(prompt)
        yield problem, prompt


def line(number: int, asked: Asked) -> str:
    """One task as JSON."""
    problem, prompt = asked
    task = {
        "id": f"{problem.kind}-{number}",
        "category": problem.kind,
        "prompt": prompt,
        "answer": problem.answer,
        "compare": "exact" if problem.kind == "other" else "number",
    }
    return json.dumps(task, ensure_ascii=False)


def files() -> dict[str, str]:
    """The text of each file, by its name."""
    rng, taken = random.Random(SEED), {prompt for _, prompt in held_out(COUNTS)}
    texts = {}
    for name, (each, others) in FILES.items():
        tasks = choose(each, others, rng, taken)
        texts[name] = "".join(f"{line(number, asked)}\n" for number, asked in enumerate(tasks, 1))
    return texts


def main() -> None:
    for name, text in files().items():
        (FOLDER / f"{name}.jsonl").write_text(text, "utf-8")


if __name__ == "__main__":
    main()
