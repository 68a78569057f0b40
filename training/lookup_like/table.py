"""How often the classifier is right: in all, by language and by class, each with an interval.

Knows how an answer is judged. Does not know how it came about.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table

from qwen3_mlx.evaluation.interval import wilson
from qwen3_mlx.text.lookup_like import decide
from training.lookup_like.data import Example


def judged(examples: Sequence[Example]) -> list[bool]:
    """Whether each decision is right."""
    return [decide(example.text).think is example.think for example in examples]


def table(examples: Sequence[Example], name: str) -> Table:
    """One row for all, each language and each class."""
    right = judged(examples)
    made = Table(title=f"right decisions on {name}")
    for head in ("", "messages", "right", "%", "95 %"):
        made.add_column(head, justify="right" if head else "left")
    for label, belongs in _groups(examples):
        counted = [r for r, one in zip(right, belongs, strict=True) if one]
        within = wilson(sum(counted), len(counted))
        share = f"{100 * sum(counted) / len(counted):.1f}"
        interval = f"{100 * within.low:.1f} to {100 * within.high:.1f}"
        made.add_row(label, str(len(counted)), str(sum(counted)), share, interval)
    return made


def _groups(examples: Sequence[Example]) -> Iterator[tuple[str, list[bool]]]:
    yield "all", [True] * len(examples)
    for language in dict.fromkeys(example.language for example in examples):
        yield language, [example.language == language for example in examples]
    yield "to think about", [example.think for example in examples]
    yield "lookup-like", [not example.think for example in examples]
