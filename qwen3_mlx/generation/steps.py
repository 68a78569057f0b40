"""The words in which the loop and whoever judges its tokens talk to each other.

Knows no arrays, no text and no reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias


class Part(Enum):
    """What a token is in a reply."""

    OPEN = auto()
    THOUGHT = auto()
    CLOSE = auto()
    INJECTED = auto()
    ANSWER = auto()
    END = auto()
    DROPPED = auto()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to make of a sampled token.

    Attributes:
        part: What it is; a DROPPED one does not become part of the reply.
        inject: Ids that must follow it.
        last: Whether the reply ends here.
    """

    part: Part
    inject: tuple[int, ...] = ()
    last: bool = False


@dataclass(frozen=True, slots=True)
class TokenStep:
    """One token that became part of the reply."""

    token: int
    part: Part


Judge: TypeAlias = Callable[[int], Verdict]
"""Called once for each sampled token, in order."""

TokenSource: TypeAlias = Callable[[Judge], Generator[TokenStep, None, None]]
"""Gives tokens and obeys the judge: `decode.stream`, once its other arguments are bound."""
