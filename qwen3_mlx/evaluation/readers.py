r"""Readers: from the fields of one line to a task, in our own format and in those of others.

Knows which fields each format has, and what its own evaluation asks and compares. Does not know
files.

- our own: `prompt`, `answer`, and if wanted `compare`, `id`, `category`, `choices`.
- GSM8K (Cobbe et al., arXiv 2110.14168): `question`, `answer` with the number after `####`.
- MMLU-Redux (Gema et al., arXiv 2406.04127): `question`, `choices`, `answer` as the place of the
  right one, `error_type`, `correct_answer`.
- MATH-500 (Hendrycks et al., arXiv 2103.03874; Lightman et al., arXiv 2305.20050): `problem`,
  `answer` in LaTeX.
- needles as RULER writes them (Hsieh et al., arXiv 2404.06654): `input`, `outputs`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from string import ascii_uppercase
from typing import TypeAlias

from qwen3_mlx.evaluation.fields import (
    check_numbers,
    check_patterns,
    letter_at,
    letter_of,
    read_answers,
    read_choices,
    read_text,
)
from qwen3_mlx.evaluation.letters import as_letter
from qwen3_mlx.evaluation.lines import Fields, LineError
from qwen3_mlx.evaluation.task import Compare, Task

BOXED = "Please reason step by step, and put your final answer within \\boxed{}."
"""What Qwen3's model card asks for where a number or a formula is wanted."""

LETTER = "Please answer with the letter of the right choice alone, within \\boxed{}."

Reader: TypeAlias = Callable[[Fields, str], Task | None]
"""From fields and an id to a task; None for a line that its own file says is flawed."""


class Form(StrEnum):
    """The formats there are."""

    TASKS = "tasks"
    GSM8K = "gsm8k"
    MMLU_REDUX = "mmlu-redux"
    MATH_500 = "math-500"
    NEEDLE = "needle"


def read(fields: Fields, form: Form | None, number: int) -> Task | None:
    """The task that a line stands for, None if the file itself says that it is flawed.

    Args:
        form: None: recognised by the fields.
        number: Of the line; the task's id where it has none of its own.

    Raises:
        LineError: it is no task.
    """
    return READERS[form or recognised(fields)](fields, str(number))


def recognised(fields: Fields) -> Form:
    """The format whose fields these are.

    Raises:
        LineError: they are of none.
    """
    for form, names in NEEDED.items():
        if fields.keys() >= names:
            return form
    if "prompt" in fields:
        raise LineError("the field answer is missing")
    shown = ", ".join(sorted(fields))[:80]
    raise LineError(f"its fields are those of no known format: {shown or 'none'}")


def own(fields: Fields, number: str) -> Task:
    """A line of our own format."""
    compare = _compare(fields)
    prompt, choices = read_text(fields, "prompt"), read_choices(fields)
    return Task(
        id=_id(fields, number),
        prompt=lettered(prompt, choices) if choices else prompt,
        answers=_right(fields, compare, choices),
        compare=compare,
        category=read_text(fields, "category", ""),
        letters=len(choices) or 4,
    )


def gsm8k(fields: Fields, number: str) -> Task:
    """A line of GSM8K: the number after `####` counts."""
    _, marked, last = read_text(fields, "answer").rpartition("####")
    if not marked:
        raise LineError("answer has no #### before its number")
    answers = (last.strip(),)
    check_numbers(answers)
    return Task(number, _asking(read_text(fields, "question"), BOXED), answers, Compare.NUMBER)


def mmlu_redux(fields: Fields, number: str) -> Task | None:
    """A line of MMLU-Redux; one that was found wrong only with the answer that was put right."""
    question, choices = read_text(fields, "question"), read_choices(fields)
    if not choices:
        raise LineError("the field choices is missing or empty")
    letter = letter_at(fields.get("answer"), choices)
    if fields.get("error_type", "ok") != "ok":
        letter = _corrected(fields, choices)
        if not letter:
            return None
    if not letter:
        raise LineError("answer is not the place of one of the choices")
    subject = read_text(fields, "subject", "")
    prompt = _asking(lettered(question, choices), LETTER)
    return Task(number, prompt, (letter,), Compare.CHOICE, subject, len(choices))


def math_500(fields: Fields, number: str) -> Task:
    """A line of MATH-500."""
    identifier = read_text(fields, "unique_id", number)
    prompt = _asking(read_text(fields, "problem"), BOXED)
    answers = read_answers(fields, "answer")
    return Task(identifier, prompt, answers, Compare.MATH, read_text(fields, "subject", ""))


def needle(fields: Fields, number: str) -> Task:
    """A line of RULER: all outputs must be in the answer."""
    return Task(
        number, read_text(fields, "input"), read_answers(fields, "outputs"), Compare.CONTAINS
    )


NEEDED: Mapping[Form, frozenset[str]] = {
    Form.TASKS: frozenset({"prompt", "answer"}),
    Form.MMLU_REDUX: frozenset({"question", "choices", "answer"}),
    Form.GSM8K: frozenset({"question", "answer"}),
    Form.MATH_500: frozenset({"problem", "answer"}),
    Form.NEEDLE: frozenset({"input", "outputs"}),
}
"""The fields of each format, those with more of them first where some are the same."""

READERS: Mapping[Form, Reader] = {
    Form.TASKS: own,
    Form.GSM8K: gsm8k,
    Form.MMLU_REDUX: mmlu_redux,
    Form.MATH_500: math_500,
    Form.NEEDLE: needle,
}


def lettered(question: str, choices: Sequence[str]) -> str:
    """A question with its choices, one a line, each with its letter."""
    pairs = zip(ascii_uppercase, choices, strict=False)
    return "\n".join((question, *(f"{letter}. {choice}" for letter, choice in pairs)))


def _asking(question: str, how: str) -> str:
    return f"{question}\n\n{how}"


def _id(fields: Fields, number: str) -> str:
    value = fields.get("id", number)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise LineError("id is neither text nor a whole number")
    return str(value)


def _right(fields: Fields, compare: Compare, choices: Sequence[str]) -> tuple[str, ...]:
    """The right answers, once they can be compared in that way."""
    answers = read_answers(fields, "answer")
    if compare is Compare.CHOICE:
        return tuple(letter_of(answer, choices) for answer in answers)
    if compare is Compare.NUMBER:
        check_numbers(answers)
    elif compare is Compare.REGEX:
        check_patterns(answers)
    return answers


def _compare(fields: Fields) -> Compare:
    """How it is to be compared: with `choices` by letter, without a word exactly."""
    usual = Compare.CHOICE if fields.get("choices") else Compare.EXACT
    value = fields.get("compare", usual)
    try:
        return Compare(str(value))
    except ValueError:
        known = ", ".join(Compare)
        raise LineError(f"compare is {value!r:.40}; it must be one of {known}") from None


def _corrected(fields: Fields, choices: Sequence[str]) -> str:
    """The letter that MMLU-Redux says is right after all; empty if it names none."""
    said = fields.get("correct_answer")
    if isinstance(said, str):
        said = said.strip()
        if said in choices:
            return ascii_uppercase[choices.index(said)]
        if letter := as_letter(said.upper(), len(choices)):
            return letter
        said = int(said) if re.fullmatch("[0-9]", said) else None
    return letter_at(said, choices)
