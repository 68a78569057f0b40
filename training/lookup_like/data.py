"""The requests that the classifier is trained on, with and without a text that they are about.

Knows the files in `sentences/` and how a request and a text are put together. Does not know
features or weights.
"""

from __future__ import annotations

import hashlib
import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

HERE = Path(__file__).parent
SENTENCES = HERE / "sentences"
HELD_OUT = HERE / "held_out.jsonl"
DEVELOPMENT = HERE / "development.jsonl"

EACH = 8
"""Examples of a line that stands alone, at most."""

EACH_WITH_TEXT = 12
"""Examples of a line about a text, at most."""

Sections: TypeAlias = dict[str, list[str]]

_SLOT = re.compile(r"\$(noun|person|clause|Clause)")
_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Example:
    """A message, and whether it is worth thinking about."""

    text: str
    think: bool
    language: str


def digest() -> str:
    """SHA-256 of the sentences, by which weights say what they were trained on."""
    files = sorted(SENTENCES.glob("*.txt"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def read_examples(path: Path) -> list[Example]:
    """The examples of a JSON lines file."""
    return [Example(**json.loads(line)) for line in path.read_text("utf-8").splitlines()]


def make_examples(seed: int = 1) -> list[Example]:
    """The examples to train on, in a random order; the same for the same seed."""
    rng = random.Random(seed)
    found = [
        example
        for file in sorted(SENTENCES.glob("*.txt"))
        for example in _of_language(file.stem, _sections(file), rng)
    ]
    rng.shuffle(found)
    return found


def _sections(file: Path) -> Sections:
    """The lines of a file by the heading above them."""
    sections: Sections = {}
    for line in file.read_text("utf-8").splitlines():
        if line.startswith("["):
            sections[line.strip("[]")] = lines = []
        elif line and not line.startswith("#"):
            lines.append(line.replace("\\n", "\n"))
    return sections


def _of_language(language: str, sections: Sections, rng: random.Random) -> Iterator[Example]:
    for name, think in (("lookup", False), ("think", True)):
        for line in sections[name]:
            for said in _wordings(line, EACH, sections, rng):
                yield Example(_roughened(said, sections, rng), think, language)
        for line in sections[f"{name} about a text"]:
            for said in _wordings(line, EACH_WITH_TEXT, sections, rng):
                text = _text(sections, rng)
                request = _roughened(said, sections, rng)
                yield Example(_with_text(request, text, rng), think, language)


def _text(sections: Sections, rng: random.Random) -> str:
    """A text that somebody wrote, or sentences that have nothing to do with each other."""
    if rng.random() < 0.5:
        return rng.choice(sections["texts"])
    said = [_filled("Clause", sections, rng) for _ in range(rng.randint(2, 6))]
    return rng.choice((". ", ".\n", "\n")).join(said) + "."


def _wordings(line: str, most: int, sections: Sections, rng: random.Random) -> list[str]:
    """Up to `most` different ways to read a line's alternatives."""
    drawn = (_drawn(line, sections, rng) for _ in range(2 * most))
    return list(dict.fromkeys(drawn))[:most]


def _drawn(line: str, sections: Sections, rng: random.Random) -> str:
    chosen = _BRACES.sub(lambda match: rng.choice(match[1].split("|")), line)
    return _SLOT.sub(lambda match: _filled(match[1], sections, rng), chosen)


def _filled(slot: str, sections: Sections, rng: random.Random) -> str:
    """A word or sentence for `$noun`, with a capital for `$Noun`."""
    said = rng.choice(sections[slot.lower()])
    return said if slot.islower() else said[0].upper() + said[1:]


def _roughened(said: str, sections: Sections, rng: random.Random) -> str:
    """As people write: without a capital or a full stop, or with words of courtesy around it."""
    way = rng.random()
    if way < 0.15:
        return said[0].lower() + said[1:].rstrip(".?!。")
    if way < 0.25:
        return f"{rng.choice(sections['openers'])} {said[0].lower()}{said[1:]}"
    if way < 0.32:
        return f"{said} {rng.choice(sections['closers'])}"
    return said


def _with_text(said: str, text: str, rng: random.Random) -> str:
    """The request before the text, behind it, around it, or without it."""
    way = rng.random()
    if way < 0.08:
        return said
    if way < 0.4:
        return f"{text}\n\n{said}"
    if way < 0.5:
        return f"{text} {said}" if "\n" not in text else f"{text}\n{said}"
    if way < 0.6:
        return f'{said} "{text}"'
    if way < 0.7:
        return f"{said.rstrip('.?。')}: {text}"
    if way < 0.75:
        return "\n\n".join([text] * rng.randint(2, 6) + [said])
    return f"{said}\n\n{text}"
