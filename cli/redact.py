"""What a person wants to see nowhere: the texts that match a pattern, also when they come in parts.

Knows the `regex` package, which takes Python's patterns, can tell whether a text may still become a
match, and gives up in time on a pattern that backtracks without end. Does not know what the texts
are, nor where they go.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from qwen3_mlx.errors import UsageError, shown

if TYPE_CHECKING:
    from regex import Match, Pattern

REDACTED = "[redacted]"

LONGEST = 4096
"""Characters of a match at most, in a text that comes in parts: a longer one is not found."""

PATIENCE = 0.5
"""Seconds for one look at so many characters. An honest pattern needs thousandths."""

OFTEN = re.compile(r"(?<!\\)(?:\\\\)*\{[0-9]*,?[0-9]{6}")
"""A part that is to repeat 100,000 times or more: `regex` writes out a fixed text so often."""


class Redaction:
    """Replaces what matches any of some patterns, one pattern after the other.

    `^` and `$` are the beginning and the end of a line. Where a pattern matches nothing at all
    between two characters, nothing is replaced.

    Args:
        patterns: As `compiled` takes them.

    Raises:
        UsageError: one of them cannot be used.
    """

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = [compiled(pattern) for pattern in patterns]

    def text(self, text: str) -> str:
        """A whole text.

        Raises:
            UsageError: a pattern takes too long on it.
        """
        patience = PATIENCE * (1 + len(text) // LONGEST)
        for pattern in self._patterns:
            with _in_time(pattern):
                text = pattern.sub(_cover, text, timeout=patience)
        return text

    def value(self, value: object) -> object:
        """A value as JSON has them, with every text in it redacted but the names of fields.

        Raises:
            UsageError: a pattern takes too long on it.
        """
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def stream(self) -> Redactor:
        """A text that comes in parts."""
        return Redactor(self._patterns)


class Redactor:
    """Redacts one text that arrives in chunks, wherever they are cut.

    What may still become a match is held back; what comes out is, in the end, what redacting the
    whole would give, but for matches of more than `LONGEST` characters.

    Args:
        patterns: One after the other.
    """

    def __init__(self, patterns: Sequence[Pattern[str]]) -> None:
        self._links = [_Link(pattern) for pattern in patterns]

    def feed(self, text: str) -> str:
        """What may be shown now.

        Raises:
            UsageError: a pattern takes too long on it.
        """
        for link in self._links:
            text = link.feed(text)
        return text

    def end(self) -> str:
        """What is left when the text is over; another one may begin."""
        text = ""
        for link in self._links:
            text = link.feed(text) + link.end()
        return text


class _Link:
    """Redacts what matches one pattern."""

    def __init__(self, pattern: Pattern[str]) -> None:
        self._pattern = pattern
        self._text = ""
        self._at = 0  # what stands before it has been passed on, and is kept for patterns to see

    def feed(self, text: str) -> str:
        self._text += text
        return self._decided(ended=False)

    def end(self) -> str:
        rest = self._decided(ended=True)
        self._text, self._at = "", 0
        return rest

    def _decided(self, *, ended: bool) -> str:
        shown = []
        while self._at < len(self._text) and (ended or not self._undecided()):
            shown.append(self._step())
        if self._at > 2 * LONGEST:
            self._text, self._at = self._text[self._at - LONGEST :], LONGEST
        return "".join(shown)

    def _undecided(self) -> bool:
        """Whether a match from here may reach what has not come yet.

        If none may, it makes no difference to the matches from here what comes.
        """
        text, at = self._text, self._at
        if len(text) - at >= LONGEST:
            return False
        with _in_time(self._pattern):
            found = self._pattern.fullmatch(text, at, partial=True, timeout=PATIENCE)
        return found is not None

    def _step(self) -> str:
        text, at = self._text, self._at
        with _in_time(self._pattern):
            found = self._pattern.match(text, at, at + LONGEST, timeout=PATIENCE)
        if found is None or found.end() == at:
            self._at += 1
            return text[at]
        self._at = found.end()
        return REDACTED


@cache
def compiled(pattern: str) -> Pattern[str]:
    """A pattern in Python's words.

    Raises:
        UsageError: it is no pattern, with the place of the mistake, it matches the empty text, or
            it repeats a part more often than memory is to be had for.
    """
    import regex

    if OFTEN.search(pattern):
        raise UsageError(
            f"{shown(pattern)} is no pattern: it repeats a part too often",
            hint="Let it repeat less than 100,000 times.",
        )
    try:
        made = regex.compile(pattern, regex.MULTILINE)
    except (regex.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"{pattern!r} is no pattern: {error}", hint="It is written as for Python's `re`."
        ) from error
    if made.match("") is not None:
        raise UsageError(
            f"{pattern!r} matches the empty text, which is everywhere",
            hint="Use + where * stands for something that must be there.",
        )
    return made


def _cover(match: Match[str]) -> str:
    return REDACTED if match[0] else ""


@contextmanager
def _in_time(pattern: Pattern[str]) -> Iterator[None]:
    try:
        yield
    except TimeoutError as error:
        raise UsageError(
            f"the pattern {pattern.pattern!r} takes too long on this text, which is not shown",
            hint="Avoid repeats inside repeats, like (a+)+, and choices that begin alike.",
        ) from error
