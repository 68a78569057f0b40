"""The display filter: what a model, a file or an error says, made harmless for a terminal.

Knows the control functions of ECMA-48 (escape sequences, C0 and C1 controls) and the Unicode
characters that reorder text. Knows nothing of models or of what the text means. Everything from
outside passes here before it is shown; files and the API get the text unchanged.

Dropped: escape sequences with all that belongs to them (CSI, OSC, DCS, APC, PM, SOS and the short
ones, in their 7-bit and their 8-bit form), every control character but newline and tab (a carriage
return could overwrite what stands on the line), and the bidirectional embeddings, overrides and
isolates. Kept: everything else, joiners and variation selectors of emoji included.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

_BIDI = "\u202a-\u202e\u2066-\u2069"
_CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f"
_SURROGATES = "\ud800-\udfff"
_SUSPECT = re.compile(f"[{_CONTROLS}{_BIDI}{_SURROGATES}]")
_DROPPED = re.compile(f"[{_CONTROLS}{_BIDI}]")
_REORDERING = re.compile(f"[{_BIDI}]")
_LONE = re.compile(f"[{_SURROGATES}]")

_ESC = "\x1b"
_CSI = "\x9b"
_STRINGS = "\x90\x98\x9d\x9e\x9f"  # DCS, SOS, OSC, PM, APC
_STRINGS_AFTER_ESC = "PX]^_"
_STRING_ENDS = "\x07\x9c\x18\x1a"  # BEL, ST, CAN, SUB

_State: TypeAlias = Callable[[str], "_Step"]
_Step: TypeAlias = tuple[_State, str]
"""The next state, and what of the character is shown."""


class DisplayFilter:
    """Filters one stream of text that arrives in chunks.

    The result does not depend on where the chunks are cut. A sequence that never ends is dropped
    up to the end of its line at most, so that it cannot swallow the rest of an answer.
    """

    def __init__(self) -> None:
        self._state: _State = _in_text

    def feed(self, chunk: str) -> str:
        """The part of `chunk` that may be shown."""
        if self._state is _in_text and not _SUSPECT.search(chunk):
            return chunk
        return "".join(map(self._take, chunk))

    def _take(self, char: str) -> str:
        self._state, shown = self._state(char)
        return shown


def clean(text: str) -> str:
    """A whole text, filtered."""
    return DisplayFilter().feed(text)


def clean_line(text: str) -> str:
    """A whole text, filtered and on one line: for names, which cannot be trusted to be short."""
    return " ".join(clean(text).split())


def uncovered(text: str) -> str:
    """A text of the same length, with a visible character for each that reorders text.

    For a line that is being edited, of whose characters none may be missing.
    """
    return _REORDERING.sub("\ufffd", text)


def escaped_json(document: str) -> str:
    """A JSON document with the same value and nothing in it that the filter would drop."""
    return _SUSPECT.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


def _in_text(char: str) -> _Step:
    if char == _ESC:
        return _in_escape, ""
    if char == _CSI:
        return _in_csi, ""
    if char in _STRINGS:
        return _in_string, ""
    return _in_text, _LONE.sub("\ufffd", _DROPPED.sub("", char))


def _in_escape(char: str) -> _Step:
    if char == "[":
        return _in_csi, ""
    if char in _STRINGS_AFTER_ESC:
        return _in_string, ""
    return _in_short_escape(char)


def _in_short_escape(char: str) -> _Step:
    if " " <= char <= "/":
        return _in_short_escape, ""
    if "0" <= char <= "~":
        return _in_text, ""
    return _in_text(char)


def _in_csi(char: str) -> _Step:
    if " " <= char <= "?":
        return _in_csi, ""
    if "@" <= char <= "~":
        return _in_text, ""
    return _in_text(char)


def _in_string(char: str) -> _Step:
    if char in _STRING_ENDS:
        return _in_text, ""
    if char == _ESC:
        return _in_escape, ""
    if char == "\n":
        return _in_text, char
    return _in_string, ""
