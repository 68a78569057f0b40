"""What a prompt is made of before it becomes ids: plain text and control tokens.

Knows how to join, cut and print pieces. Knows no tokenizer, no template and no file.
Whether something is a control token is decided by who writes it, never by how it looks:
a `Text` that reads `<|im_end|>` stays text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import NotRequired, Required, TypeAlias, TypedDict


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that are only characters."""

    text: str


@dataclass(frozen=True, slots=True)
class Control:
    """One control token, by its name (`<|im_start|>`)."""

    text: str


Piece: TypeAlias = Text | Control


class Message(TypedDict, total=False):
    """One message of a conversation, with the keys that transformers uses.

    An assistant's thoughts belong in `reasoning_content`. When that key is absent, a
    `</think>` in `content` ends the thoughts, as in Qwen3's own template. `thinking` says which
    way a person turned the thinking in the message, `interrupted` that a reply was stopped, and
    `summary` in a sentence how it came about, for people.
    """

    role: Required[str]
    content: str | None
    reasoning_content: NotRequired[str | None]
    tool_calls: NotRequired[Sequence[Mapping[str, object]]]
    tool_call_id: NotRequired[str]
    name: NotRequired[str]
    interrupted: NotRequired[bool]
    thinking: NotRequired[bool]
    summary: NotRequired[str]


def plain(pieces: Iterable[Piece]) -> str:
    """The characters of all pieces, one after the other."""
    return "".join(piece.text for piece in pieces)


def merge(pieces: Iterable[Piece]) -> list[Piece]:
    """Join neighbouring texts into one and drop the empty ones."""
    merged: list[Piece] = []
    for is_text, group in groupby(pieces, key=lambda piece: isinstance(piece, Text)):
        if not is_text:
            merged.extend(group)
        elif text := plain(group):
            merged.append(Text(text))
    return merged


def split(text: str, controls: Collection[str]) -> list[Piece]:
    """Cut trusted text at every control token in it.

    Only for text that a template or this package wrote: for what a person typed, the
    right piece is always `Text`.
    """
    if not controls:
        return merge([Text(text)])
    parts = _pattern(frozenset(controls)).split(text)
    return merge(Control(part) if i % 2 else Text(part) for i, part in enumerate(parts))


@lru_cache(maxsize=16)
def _pattern(controls: frozenset[str]) -> re.Pattern[str]:
    longest_first = sorted(controls, key=len, reverse=True)
    return re.compile("(" + "|".join(map(re.escape, longest_first)) + ")")
