"""A task: a prompt, its right answers, and how an answer is compared with them.

Knows what there is to a task. Does not know files, nor how to compare: see `scoring`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum


class Compare(StrEnum):
    """How an answer is compared with the right ones."""

    EXACT = "exact"
    NUMBER = "number"
    CHOICE = "choice"
    REGEX = "regex"
    CONTAINS = "contains"
    MATH = "math"


@dataclass(frozen=True, slots=True)
class Task:
    """One task.

    Attributes:
        id: Unlike that of every other task of the file.
        prompt: What the model is asked.
        answers: At least one. With `contains` all of them count, with the others any one.
        compare: How.
        category: For figures of its own; empty for none.
        letters: How many letters there are to choose from, with `choice`.
    """

    id: str
    prompt: str
    answers: tuple[str, ...]
    compare: Compare = Compare.EXACT
    category: str = ""
    letters: int = 4


def digest(tasks: Sequence[Task]) -> str:
    """SHA-256 of tasks, in hexadecimal: the same for the same tasks in the same order."""
    text = json.dumps([asdict(task) for task in tasks], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
