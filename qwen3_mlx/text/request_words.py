"""Words by what they ask for, in nine languages: a translation, a reason, a sum.

Knows the table in `request_words.toml` and how a text is compared with it. Does not know which of
them are worth thinking about.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from qwen3_mlx.text.asked import CODE, QUOTED

TABLE = Path(__file__).with_name("request_words.toml")

_NO_WORD = re.compile(rf"[^\w{QUOTED}{CODE}]+")
_NUMBER = re.compile(r"\d+(?: \d+)*")
_NO_SPACES = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
"""Letters of languages that write words without spaces between them."""


def plain(text: str) -> str:
    """Small letters and spaces, with 0 for every number, as the table is written."""
    return f" {_NUMBER.sub('0', _NO_WORD.sub(' ', text.casefold())).strip()} "


def found(text: str) -> frozenset[str]:
    """What the words of a text, as `plain` returns it, ask for."""
    return frozenset(kind for words, kind in _table() if words in text)


@cache
def _table() -> tuple[tuple[str, str], ...]:
    """The beginnings of words, each with what it asks for."""
    with TABLE.open("rb") as file:
        kinds: dict[str, str] = tomllib.load(file)
    pairs = {(_pattern(words), kind) for kind, text in kinds.items() for words in _split(text)}
    return tuple(sorted(pairs))


def _split(text: str) -> list[str]:
    return [words for words in map(str.strip, re.split(r"[|\n]", text)) if words]


def _pattern(words: str) -> str:
    if _NO_SPACES.search(words):
        return words
    return f" {words.casefold().replace('_', ' ')}"
