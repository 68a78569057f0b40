"""The letter that an answer to a question of choices names.

Knows how models say it. Does not know the choices.
"""

from __future__ import annotations

import re
from string import ascii_uppercase

from qwen3_mlx.evaluation.latex import last_boxed

_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mathbf)\{([^{}]*)\}")
_ALONE = re.compile(r"\W*([A-Z])\W*")
_BEFORE_TEXT = re.compile(r"\W*([A-Z])[.):]\s")
# "The answer is A because", but not "the answer is a good idea".
_ARTICLE = r"(?!\s+(?!because|since|as\b|for\b|due\b)[a-z])"
_NAMED = re.compile(
    r"(?i:answer|choice|option)(?i:\s+(?:is|would be|should be))?[^\w]{0,12}"
    rf"(?:([B-HJ-Z])|([AI]){_ARTICLE})(?![\w'’])"
)


def as_letter(text: str, letters: int) -> str | None:
    """The letter that a text is, however wrapped; None if it is more, or not one of so many."""
    match = _ALONE.fullmatch(_WRAPPED.sub(r"\1", text))
    return _within(match[1], letters) if match else None


def chosen_letter(answer: str, letters: int) -> str | None:
    r"""The letter an answer names: in `\boxed{}`, after the word answer, or on a line of its own.

    Args:
        answer: Of a model.
        letters: How many there are to choose from.
    """
    boxed = last_boxed(answer)
    if boxed is not None:
        return as_letter(boxed, letters) or _leading(boxed, letters)
    named = [one or other for one, other in _NAMED.findall(answer)]
    if named:
        return _within(named[-1], letters)
    lines = answer.strip().splitlines() or [""]
    ends = (lines[-1], lines[0])
    found = (as_letter(line, letters) or _leading(line, letters) for line in ends)
    return next(filter(None, found), None)


def _leading(text: str, letters: int) -> str | None:
    """The letter before a choice that is repeated in full: `B. Paris`."""
    match = _BEFORE_TEXT.match(text)
    return _within(match[1], letters) if match else None


def _within(letter: str, letters: int) -> str | None:
    return letter if letter in ascii_uppercase[:letters] else None
