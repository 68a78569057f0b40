r"""Scoring: whether what a model answered is right.

Knows the ways to compare. Does not know models.

Numbers, letters and formulas are looked for in the last `\boxed{}` if there is one, as Qwen3's
model card has models answer, else in the whole answer; the last one counts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from qwen3_mlx.evaluation.latex import final_formula, last_boxed, same_formula
from qwen3_mlx.evaluation.letters import chosen_letter
from qwen3_mlx.evaluation.numbers import as_number, last_number
from qwen3_mlx.evaluation.pattern import found
from qwen3_mlx.evaluation.task import Compare, Task

LONGEST = 2**20
"""Characters of an answer that is looked at: several times what the longest context holds."""


def is_right(task: Task, answer: str) -> bool:
    """Whether a model's answer, without its thoughts, is right; one without end is not."""
    return len(answer) <= LONGEST and _RULES[task.compare](task, answer)


def exact(task: Task, answer: str) -> bool:
    """It is one of the right answers, but for space around it."""
    return answer.strip() in {right.strip() for right in task.answers}


def number(task: Task, answer: str) -> bool:
    """Its last number has the value of a right one: 1,000 is 1000.0, and 1/2 is 0.5."""
    boxed = last_boxed(answer)
    value = None if boxed is None else last_number(boxed)
    if value is None:
        value = last_number(answer)
    return value is not None and value in {as_number(right) for right in task.answers}


def choice(task: Task, answer: str) -> bool:
    """It names a right letter."""
    return chosen_letter(answer, task.letters) in task.answers


def regex(task: Task, answer: str) -> bool:
    """One of the patterns is found in it."""
    return any(found(pattern, answer) for pattern in task.answers)


def contains(task: Task, answer: str) -> bool:
    """All right answers are in it, whatever their case."""
    said = answer.casefold()
    return all(right.casefold() in said for right in task.answers)


def math(task: Task, answer: str) -> bool:
    """The formula it ends in is a right one."""
    said = final_formula(answer)
    return any(same_formula(said, right) for right in task.answers)


_RULES: Mapping[Compare, Callable[[Task, str], bool]] = {
    Compare.EXACT: exact,
    Compare.NUMBER: number,
    Compare.CHOICE: choice,
    Compare.REGEX: regex,
    Compare.CONTAINS: contains,
    Compare.MATH: math,
}
