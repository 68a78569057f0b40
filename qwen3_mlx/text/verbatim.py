"""Whether a sentence about a text gives the text itself away.

Knows words, and the scripts that are written without spaces between them. Does not know models, nor
who wrote the text.

A sentence in the same language shares words with any text. What gives a text away are runs of its
words, whole lines of it, and the words that stand for one thing alone: numbers, and rare words,
which names and passwords are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence

WORD, CHARACTER = 2, 1
LONG = 8
"""A run that weighs this much is a quotation: four words, or eight characters of a script that is
written without spaces. Two people who tell the same thing share three words in a row all the time
(`the sum of`), four seldom."""

_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_UNITS = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ONE = re.compile(f"[{_UNSPACED}]")


def gives_away(
    sentence: str, text: str, known: str = "", *, is_rare: Callable[[str], bool] = lambda _: False
) -> bool:
    """Whether a sentence holds something that only the text can have told.

    Upper and lower case, spaces and punctuation make no difference.

    Args:
        sentence: About the text.
        text: What is not to be repeated.
        known: What may be repeated, though it stands in the text too.
        is_rare: Of a word in lower case, whether few texts have it. Numbers always count as rare.
    """
    said, source, allowed = map(_units, (sentence, text, known))
    if any(_tells(word, is_rare) for word in {*said} & {*source} - {*allowed}):
        return True
    lines = [units for line in text.splitlines() if len(units := _units(line)) > 1]
    whole = [source] if source else []
    quoted = (
        *(run for run in _runs(said) if _holds(source, run)),
        *(line for line in [*lines, *whole] if _holds(said, line)),
    )
    return any(not _holds(allowed, run) for run in quoted)


def _tells(word: str, is_rare: Callable[[str], bool]) -> bool:
    return any(map(str.isdigit, word)) or is_rare(word)


def _units(text: str) -> list[str]:
    return _UNITS.findall(unicodedata.normalize("NFKC", text).casefold())


def _runs(units: Sequence[str]) -> Iterator[Sequence[str]]:
    """The shortest run from each place that weighs enough."""
    for start in range(len(units)):
        weight = 0
        for stop in range(start, len(units)):
            weight += CHARACTER if _ONE.match(units[stop]) else WORD
            if weight >= LONG:
                yield units[start : stop + 1]
                break


def _holds(units: Sequence[str], run: Sequence[str]) -> bool:
    return f" {' '.join(run)} " in f" {' '.join(units)} "
