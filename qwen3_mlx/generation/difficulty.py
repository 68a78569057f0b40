"""How hard a prompt looks before anything is thought about it.

Knows a question's words and numbers, and how unsure the model was of an answer given at once. Does
not know what that is worth in tokens: see `calibration`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

QUESTION_CHARACTERS = 4000
"""Looked at from each end of the last message; a long paste between them changes nothing."""

_NUMBER = re.compile(r"\d[\d,.]*")
_WORD = re.compile(r"\w+")
_KINDS = {
    "prove": re.compile(r"\b(prove|proof|show that|derive|why)\b", re.IGNORECASE),
    "code": re.compile(r"```|\b(code|function|program|implement|debug)\b", re.IGNORECASE),
    "how many": re.compile(r"\bhow (many|much|long|far|often)\b", re.IGNORECASE),
    "calculate": re.compile(
        r"\d\s*[-+*/x×÷^=]\s*\d|\b(sum|add|subtract|multiply|product|minus|plus|times|divide\w*"
        r"|calculate|compute)\b",
        re.IGNORECASE,
    ),
    "compare": re.compile(
        r"\b(which|largest|biggest|smallest|compare|maximum|max)\b", re.IGNORECASE
    ),
}
OTHER = "other"


@dataclass(frozen=True, slots=True)
class Difficulty:
    """What a prompt shows for nothing, and one look at the model.

    Attributes:
        words: Of the last message.
        numbers: In it.
        digits: Of these numbers, together.
        kind: What it asks for, by its words: `prove`, `code`, `how many`, `calculate`, `compare`
            or `other`.
        entropy: Of the model's least certain token in the answer that it would give at once, in
            nats.
    """

    words: int
    numbers: int
    digits: int
    kind: str
    entropy: float

    @property
    def features(self) -> Mapping[str, float]:
        """As numbers by name; `1` stands for every prompt."""
        return {
            "1": 1.0,
            "words": float(self.words),
            "numbers": float(self.numbers),
            "digits": float(self.digits),
            "entropy": self.entropy,
            self.kind: 1.0,
        }

    def __str__(self) -> str:
        said = f"{self.numbers} number{'' if self.numbers == 1 else 's'}" if self.numbers else ""
        return ", ".join(part for part in (said, f"entropy {self.entropy:.1f}") if part)


def difficulty(question: str, entropy: float) -> Difficulty:
    """How hard the last message of a conversation looks."""
    text = question[:QUESTION_CHARACTERS] + question[QUESTION_CHARACTERS:][-QUESTION_CHARACTERS:]
    numbers = _NUMBER.findall(text)
    kind = next((name for name, pattern in _KINDS.items() if pattern.search(text)), OTHER)
    digits = sum(character.isdigit() for number in numbers for character in number)
    return Difficulty(len(_WORD.findall(text)), len(numbers), digits, kind, entropy)
