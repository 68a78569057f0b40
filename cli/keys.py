"""From the bytes of a keyboard to keys, while no line is being edited.

Knows UTF-8, escape sequences and bracketed paste, as far as it takes to tell a key that somebody
pressed from the inside of something longer. Does not know what a key does, or where bytes come
from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

ESCAPE = "\x1b"
_STRINGS = "]PX^_"  # OSC, DCS, SOS, PM, APC
_STRING_ENDS = "\x07\x9c"
_PASTE_BEGINS = "200~"
_PASTE_ENDS = "\x1b[201~"

_State: TypeAlias = Callable[[str], "_Step"]
_Step: TypeAlias = tuple[_State, str]
"""The next state, and the key that was pressed, if one was."""


class KeyDecoder:
    """Finds the single keys among bytes that may be cut anywhere.

    A key is one ASCII character; Esc is one when nothing follows it. Arrow and function keys, Alt
    with a key, letters outside ASCII, pasted text and what a terminal answers are none.
    """

    def __init__(self) -> None:
        self._state: _State = _ground

    @property
    def idle(self) -> bool:
        """Whether nothing is half read."""
        return self._state is _ground

    def feed(self, data: bytes) -> list[str]:
        """The keys that these bytes complete."""
        return [key for char in data.decode("latin-1") if (key := self._take(char))]

    def pause(self) -> list[str]:
        """Nothing has followed for a while: a lone Esc is a key, other beginnings are dropped."""
        state = self._state
        if not isinstance(state, _Paste):
            self._state = _ground
        return [ESCAPE] if state is _escape else []

    def _take(self, char: str) -> str:
        self._state, key = self._state(char)
        return key


def _ground(char: str) -> _Step:
    if char == ESCAPE:
        return _escape, ""
    return _ground, char if char.isascii() else ""


def _escape(char: str) -> _Step:
    if char == ESCAPE:
        return _escape, ""
    if char == "[":
        return _Sequence(), ""
    if char == "O":
        return _last, ""
    return (_string if char in _STRINGS else _ground), ""


def _last(_char: str) -> _Step:
    return _ground, ""


def _string(char: str) -> _Step:
    if char == ESCAPE:
        return _last, ""  # the backslash of the string terminator
    return (_ground if char in _STRING_ENDS else _string), ""


class _Sequence:
    """Inside a CSI sequence."""

    def __init__(self, seen: str = "") -> None:
        self._seen = seen

    def __call__(self, char: str) -> _Step:
        seen = self._seen + char
        if " " <= char <= "?":
            return _Sequence(seen), ""
        return (_Paste() if seen == _PASTE_BEGINS else _ground), ""


class _Paste:
    """Inside pasted text."""

    def __init__(self, seen: str = "") -> None:
        self._seen = seen

    def __call__(self, char: str) -> _Step:
        seen = (self._seen + char)[-len(_PASTE_ENDS) :]
        return (_ground if seen == _PASTE_ENDS else _Paste(seen)), ""
