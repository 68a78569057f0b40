"""What of a message counts when it is judged whether it is worth thinking about, as numbers.

Knows letters, words and counts, of any language alike. Does not know what they speak for: that is
learned, see `training/lookup_like`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import sqrt
from zlib import crc32

from qwen3_mlx.text.asked import CODE, QUOTED, Asked
from qwen3_mlx.text.request_words import found, plain

BUCKETS = 1 << 24
"""Features have these many numbers, by their CRC-32 (Weinberger et al., 2009, feature hashing).

So many that one which was never learned hardly ever has the number of one that was.
"""

SENTENCE = 160
"""Characters of a sentence that count, half of them at each end."""

WHOLE = 400
"""Characters of a message that count, half of them at each end."""

NORMS = (0.5, 0.5, 0.5, 0.7, 2.0)
"""Of the groups: first sentence, last, whole, counts, and what is asked for, which says most."""

_WORD = re.compile(r"\w+|[§¶?%+*/=^-]")
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_OPERATION = re.compile(r"[\dx)]\s*[-+*/×÷^=]\s*[\dx(]")
_ADDRESS = re.compile(r"https?://|www\.|\S@\S")


def features(asked: Asked) -> dict[int, float]:
    """The features that are there, by their bucket.

    Those of a group have its norm together, whatever the length of the text.
    """
    values: dict[int, float] = {}
    for norm, group in zip(NORMS, _groups(asked), strict=True):
        buckets = {crc32(name.encode("utf-8", "replace")) % BUCKETS for name in group}
        for bucket in sorted(buckets):
            values[bucket] = values.get(bucket, 0.0) + norm / sqrt(len(buckets))
    return values


def _groups(asked: Asked) -> Iterator[Iterable[str]]:
    first, last = _plain(asked.first, SENTENCE), _plain(asked.last, SENTENCE)
    yield [*_words("f", first), *_grams("f", first, (2, 3, 4))]
    yield [*_words("l", last), *_grams("l", last, (2, 3, 4))]
    whole = _plain(asked.whole, WHOLE)
    yield [*_words("w", whole), *_grams("w", whole, (3, 4))]
    yield _counts(asked)
    yield _requests(asked)


def _plain(text: str, limit: int) -> str:
    """Small letters with every digit a 0, its ends alone where it is long."""
    half = limit // 2
    some = text if len(text) <= limit else f"{text[:half]} {text[-half:]}"
    return _DIGIT.sub("0", " ".join(some.casefold().split()))


def _words(kind: str, text: str) -> Iterator[str]:
    """Words, pairs of them, and the first one apart."""
    words = _WORD.findall(text)
    for index, word in enumerate(words):
        yield f"{kind}:{word}"
        yield f"{kind}:{word} {words[index + 1] if index + 1 < len(words) else ''}"
    if words:
        yield f"{kind}^{words[0]}"


def _grams(kind: str, text: str, sizes: Iterable[int]) -> Iterator[str]:
    """Pieces of so many characters, across words too: some languages write no spaces."""
    padded = f" {text} "
    for size in sizes:
        for start in range(len(padded) - size + 1):
            yield f"{kind}~{padded[start : start + size]}"


def _requests(asked: Asked) -> Iterator[str]:
    """What is asked for, in which place, and beside what else."""
    many = asked.lines > 1
    first, last = (found(plain(part[:SENTENCE])) for part in (asked.first, asked.last))
    asking = sorted(first | last if many else found(plain(asked.whole[: 2 * SENTENCE])))
    yield from (f"first asks for {kind}" for kind in first)
    yield from (f"last asks for {kind}" for kind in last)
    for index, kind in enumerate(asking):
        yield f"asks for {kind}"
        yield f"asks for {kind} {many}"
        yield from (f"{kind} and {other}" for other in asking[:index])
    yield f"asks for {len(asking)} kinds"


def _counts(asked: Asked) -> Iterator[str]:
    """How long it is, and what is in it that is no word."""
    same = asked.first == asked.last
    question = asked.last if same else f"{asked.first} {asked.last}"
    yield f"length {asked.length.bit_length()}"
    yield f"lines {min(asked.lines, 4)}"
    yield f"one sentence {same}"
    yield f"words {len(_WORD.findall(asked.last[:SENTENCE])).bit_length()} {asked.lines > 1}"
    yield f"numbers asked {min(len(_NUMBER.findall(question)), 3)}"
    yield f"numbers {len(_NUMBER.findall(asked.whole)).bit_length()}"
    yield f"asks {'?' in question} {asked.last.endswith('?')}"
    yield f"operation {bool(_OPERATION.search(question))} {asked.lines > 1}"
    yield f"quotes {QUOTED in asked.whole}"
    yield f"code {CODE in asked.whole}"
    yield f"pasted {asked.pasted}"
    yield f"address {bool(_ADDRESS.search(asked.whole))}"
