"""One field of a line, read as what it must be.

Knows texts, numbers, choices and their letters. Does not know which fields there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_uppercase

from qwen3_mlx.evaluation.letters import as_letter
from qwen3_mlx.evaluation.lines import Fields, LineError
from qwen3_mlx.evaluation.numbers import as_number
from qwen3_mlx.evaluation.pattern import check_pattern

MAX_CHOICES = len(ascii_uppercase)


def read_text(fields: Fields, name: str, default: str | None = None) -> str:
    """A field that is text.

    Args:
        fields: Of the line.
        name: Of the field.
        default: Stands for it where it is missing or null; None: it must not be.

    Raises:
        LineError: it is missing, something else, or empty though it must be there.
    """
    value = fields.get(name)
    if value is None:
        value = default
    if value is None:
        raise LineError(f"the field {name} is missing")
    if not isinstance(value, str):
        raise LineError(f"{name} is no text")
    if not value.strip() and default is None:
        raise LineError(f"{name} is empty")
    if re.search("[\ud800-\udfff]", value):
        raise LineError(f"{name} holds half a character")
    return value


def read_answers(fields: Fields, name: str) -> tuple[str, ...]:
    """One answer or several; numbers may be written without quotes.

    Raises:
        LineError: there are none, or something else.
    """
    value = fields.get(name)
    several = value if isinstance(value, list) else [value]
    if not several:
        raise LineError(f"{name} is empty")
    said = (str(one) if _is_number(one) else one for one in several)
    return tuple(read_text({name: one}, name) for one in said)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def read_choices(fields: Fields) -> list[str]:
    """What there is to choose from; nothing where the field is missing.

    Raises:
        LineError: more than there are letters, or something else.
    """
    value = fields.get("choices")
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > MAX_CHOICES:
        raise LineError(f"choices is no list of at most {MAX_CHOICES}")
    return [read_text({"choices": choice}, "choices") for choice in value]


def letter_of(answer: str, choices: Sequence[str]) -> str:
    """The letter of an answer, which may be given as the letter or in full.

    Raises:
        LineError: it is neither.
    """
    if answer in choices:
        return ascii_uppercase[choices.index(answer)]
    letter = as_letter(answer, len(choices) or MAX_CHOICES)
    if letter is None:
        raise LineError("answer is neither the letter of a choice nor one of them")
    return letter


def letter_at(place: object, choices: Sequence[str]) -> str:
    """The letter of a place counted from 0; empty if it is none."""
    if isinstance(place, int) and not isinstance(place, bool) and 0 <= place < len(choices):
        return ascii_uppercase[place]
    return ""


def check_numbers(answers: Sequence[str]) -> None:
    """Refuse answers that are to be numbers and are none.

    Raises:
        LineError: with the first of them.
    """
    for answer in answers:
        if as_number(answer) is None:
            raise LineError(f"answer is {answer!r:.40}, which is no number")


def check_patterns(answers: Sequence[str]) -> None:
    """Refuse answers that are to be patterns and cannot be looked for.

    Raises:
        LineError: with the reason.
    """
    for answer in answers:
        if why := check_pattern(answer):
            raise LineError(f"answer is no regular expression: {why}")
