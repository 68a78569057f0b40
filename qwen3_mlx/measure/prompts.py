"""Prompts of a given length: plain English lines about nothing, as many as it takes.

Knows a tokenizer. Does not know models, nor what they make of it.
"""

from __future__ import annotations

from itertools import count
from typing import Protocol

WORDS = ("apples", "books", "candles", "plates", "ropes", "stones", "cups")


class Tokens(Protocol):
    """What a tokenizer must be able to do here."""

    def encode(self, text: str) -> list[int]:
        """The ids of a text."""


def prompt_ids(tokenizer: Tokens, length: int) -> list[int]:
    """So many ids of text; a shorter prompt is the beginning of a longer one."""
    ids: list[int] = []
    for number in count(1):
        if len(ids) >= length:
            break
        ids += tokenizer.encode(_line(number))
    return ids[:length]


def _line(number: int) -> str:
    """A line of the list; the numbers repeat only after thousands of lines."""
    return f"Shelf {number} holds {7 * number % 1000} {WORDS[number % len(WORDS)]}.\n"
