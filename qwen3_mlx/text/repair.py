"""Mend JSON that a model wrote wrongly, where it can mean only one thing.

Knows the slips that leave no doubt: closing braces missing at the end or one too many, a comma too
many, single quotes, Python's `True`, `False` and `None`, line breaks inside strings, a code fence
around it all. Does not guess: a number, a key or a string that breaks off stays broken, and so
does a string with unescaped quotes in it, and a text of more values than any call has. Does not
know tool calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from qwen3_mlx.strict_json import finite_json

MAX_DEPTH = 64
"""Objects and arrays inside each other."""

MAX_VALUES = 2**14
"""Of one text; each takes some 20 microseconds."""

_FENCE = "```"
_SPACE = re.compile(r"\s*")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,999})(?:\.\d+)?(?:[eE][+-]?\d+)?(?=\s*[,}\]])")
_WORD = re.compile(r"(?:true|false|null|True|False|None)(?![\w.])")
_TOO_MANY = re.compile(r"[\s}]*")
_STRINGS = {
    '"': re.compile(r'"((?:[^"\\]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*)"'),
    "'": re.compile(r"'((?:[^'\\]|\\(?:['\"\\/bfnrt]|u[0-9a-fA-F]{4}))*)'"),
}
_IN_SINGLE_QUOTES = re.compile(r"\\.|\"")
_REQUOTED = {"\\'": "'", '"': '\\"'}
_WORDS = {"true": True, "True": True, "false": False, "False": False, "null": None, "None": None}


def repair(text: str) -> str | None:
    """Valid JSON of the object that the text can only mean; None where it is in doubt.

    Text that is valid JSON comes back as it is.
    """
    if _is_json(text):
        return text
    try:
        return json.dumps(_Reader(_unfenced(text.strip())).whole(), ensure_ascii=False)
    except (_InDoubtError, ValueError):
        return None


def _is_json(text: str) -> bool:
    try:
        finite_json(text)
    except (ValueError, RecursionError):
        return False
    return True


def _unfenced(text: str) -> str:
    """The text without a code fence around it."""
    if not text.startswith(_FENCE):
        return text
    return text.partition("\n")[2].removesuffix(_FENCE).rstrip()


class _InDoubtError(Exception):
    """The text can mean more than one thing, or nothing."""


class _Reader:
    """Reads one object, generously.

    Args:
        text: All of it, without space around it.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._values = 0

    def whole(self) -> dict[str, object]:
        """The object that the text is.

        Raises:
            _InDoubtError: It is none for certain.
        """
        if not self._take("{"):
            raise _InDoubtError
        value = self._object()
        if not _TOO_MANY.fullmatch(self._text, self._at):
            raise _InDoubtError
        return value

    def _value(self) -> object:
        self._values += 1
        if self._values > MAX_VALUES:
            raise _InDoubtError
        if self._take("{"):
            return self._inside(self._object)
        if self._take("["):
            return self._inside(self._array)
        if self._peek() in _STRINGS:
            return self._string()
        if number := self._match(_NUMBER):
            return finite_json(number[0])
        word = self._match(_WORD)
        if word is None:
            raise _InDoubtError
        return _WORDS[word[0]]

    def _inside(self, read: Callable[[], object]) -> object:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _InDoubtError
        value = read()
        self._depth -= 1
        return value

    def _object(self) -> dict[str, object]:
        entries: dict[str, object] = {}
        while not self._closes("}"):
            key = self._string()
            self._skip()
            if not self._take(":"):
                raise _InDoubtError
            self._skip()
            entries[key] = self._value()
            self._between("}")
        return entries

    def _array(self) -> list[object]:
        items: list[object] = []
        while not self._closes("]"):
            items.append(self._value())
            self._between("]")
        return items

    def _closes(self, closing: str) -> bool:
        """Whether the object or array ends here, also with the text, if nothing was to come."""
        self._skip()
        missing = self._at == len(self._text) and self._text[-1] not in "{[,"
        return missing or self._take(closing)

    def _between(self, closing: str) -> None:
        """A comma, or the end of what is read."""
        self._skip()
        if not self._take(",") and self._peek() not in {closing, ""}:
            raise _InDoubtError

    def _string(self) -> str:
        quote = self._peek()
        found = self._match(_STRINGS[quote]) if quote in _STRINGS else None
        if found is None:
            raise _InDoubtError
        inside = found[1]
        if quote == "'":
            inside = _IN_SINGLE_QUOTES.sub(lambda m: _REQUOTED.get(m[0], m[0]), inside)
        return str(json.loads(f'"{inside}"', strict=False))

    def _match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.match(self._text, self._at)
        if found:
            self._at = found.end()
        return found

    def _take(self, char: str) -> bool:
        taken = self._peek() == char
        self._at += taken
        return taken

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _skip(self) -> None:
        self._match(_SPACE)
