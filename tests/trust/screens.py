"""Screens to attack: streams that claim to be a terminal, and what must never be written to one.

Knows the few sequences that this program writes itself. Does not know what is written.
"""

from __future__ import annotations

import io
import os
import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from unittest import mock

from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import Qwen3Error

# Colours and weights, lines that are drawn anew, the cursor, marked pastes, the clipboard, and what
# the line editor asks and sets at its start and end. What is hostile never spells one of these: it
# has none of their letters where they would count. Rich sends the cursor to the left, too.
COLOUR = r"(?:[0-479]|2[2-9]|3[0-79]|4[0-79]|9[0-7]|10[0-7]|[34]8;5;\d+|[34]8;2;\d+;\d+;\d+|;)*m"
MOVE = r"\d*[ACDK]|[02]?J|\?(?:25|12|7|1|2004)[hl]|6n"
CLIPBOARD = r"\]52;c;[A-Za-z0-9+/]*={0,2}\x07"
OURS = re.compile(rf"\x1b(?:\[{COLOUR}|{CLIPBOARD})|\r?\x1b\[(?:{MOVE})\r?")
AT_START = re.compile(r"(?<=\n)\r")
"""Rich sends the cursor to the left where it is already."""

BIDI = "\u202a-\u202e\u2066-\u2069"
FORBIDDEN = re.compile(f"[\x00-\x08\x0b-\x1f\x7f-\x9f{BIDI}]")

PARTS = (
    *("\x1b", "\x1b[", "\x1b]", "\x1bP", "\x1b_", "\x1b^", "\x1bX", "\x1b\\", "\x1bc", "\x1b(0"),
    *("\x9b", "\x9d", "\x90", "\x9c", "\x98", "\x9e", "\x9f", "\x85", "\x07", "\x18", "\x1a"),
    *("\r", "\b", "\x0b", "\x0c", "\x7f", "\x00", "\x0e", "\x0f", "\n", "\t", " ", ";", "?"),
    *("31337", "2;2r", "0;evi", "8;;http://x/", "6c", "52;c;?", "1;1f", "?1049", "$q", "!p"),
    *("\u202e", "\u2066", "\u202d", "\u2069", "\u200d", "\u200b", "\ufeff", "\ud800", "\udc9b"),
    *("text", "e\u0301", "é", "日本", "👩", "<", ">", "&", "#", "*", "`", "|", "[", "]", "(", ")"),
    *("<http://x/%1b%5d0;x%1b%5c>", "<http://x/%c2%9b2c>", "<http://x/%E2%80%AE>", "&#x202e;"),
    *("&#27;", "&#x9b;", "&#13;", "&NewLine;", "&Tab;", "[x](http://x/%1b)", "`\x1bc`", "$\x9b$"),
    *("\n\n", "\n# ", "\n- ", "\n> ", "\n```x\n", "\n| a | b |\n|---|---|\n", "\\\x1b", "\n    "),
)


def hostile(chance: random.Random) -> str:
    """A text made of parts that terminals obey, and of some that they do not."""
    return "".join(chance.choices(PARTS, k=chance.randint(1, 16)))


def chunks(chance: random.Random, text: str) -> Iterator[str]:
    """The text as it may come: in parts of any length."""
    rest = text
    while rest:
        size = chance.choice((1, 1, 2, 3, len(rest)))
        yield rest[:size]
        rest = rest[size:]


def splits(text: str) -> Iterator[tuple[str, ...]]:
    """The text cut in two at every place, and cut everywhere."""
    yield from ((text[:at], text[at:]) for at in range(len(text) + 1))
    yield tuple(text)


class Kind(StrEnum):
    """What standard output and error are."""

    SCREEN = "screen"
    PLAIN = "plain screen"
    PIPE = "pipe"


class Stream(io.StringIO):
    """What was written, by something that may be a terminal."""

    def __init__(self, *, screen: bool) -> None:
        super().__init__(newline="")
        self._screen = screen

    def isatty(self) -> bool:
        return self._screen


@contextmanager
def on(kind: Kind) -> Iterator[tuple[Terminal, Stream]]:
    """A terminal whose output and errors go to the stream beside it."""
    stream = Stream(screen=kind is not Kind.PIPE)
    with mock.patch.dict(os.environ, TERM="xterm-256color", COLUMNS="60", LINES="20"):
        yield Terminal(io.StringIO(), stream, stream, plain=kind is Kind.PLAIN), stream


@contextmanager
def errors_said(terminal: Terminal) -> Iterator[None]:
    """As the command line does it."""
    try:
        yield
    except Qwen3Error as error:
        terminal.error(error)


class Caught:
    """Catches what nobody was to raise.

    Attributes:
        said: What it was; nothing, if nothing was raised.
    """

    said = ""

    def __enter__(self) -> None:
        """Nothing is raised yet."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        self.said = f"a traceback, {error!r:.200}," if isinstance(error, Exception) else ""
        return bool(self.said)


def file_name(text: str) -> str:
    """A text as far as it can be the name of a file."""
    usable = text.replace("\0", "").replace("/", "")[:40]
    return usable.encode("utf-8", "replace").decode()


def forbidden(written: str, kind: Kind) -> str:
    """The first thing on a screen that must not be there, with what is around it; or nothing."""
    rest = AT_START.sub("", OURS.sub("", written)) if kind is Kind.SCREEN else written
    found = FORBIDDEN.search(rest)
    return repr(rest[max(0, found.start() - 20) : found.end() + 20]) if found else ""
