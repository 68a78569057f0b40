"""The blocks of a Markdown text that is still being written: what is finished, and what is open.

Knows CommonMark's blocks, by markdown-it, and works line by line: where the text was cut into
chunks changes nothing. Does not know how a block looks, nor screens.

A block is finished when the next one begins, and every item of a list is a block, so that what is
open stays short. Two things differ from CommonMark: HTML, images and link definitions are text, and
so is LaTeX, whose backslashes and underscores are no markup.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

_FENCE = re.compile(r"(`{3,}|~{3,})[ \t]*([^\s`]*)[^`]*$")
_MARKS = tuple("#-*+>|`~=_0123456789")  # what a block inside a paragraph's lines may begin with
_SERIES = tuple(">|")  # lines that belong to the same block as long as they follow each other
_MATH = re.compile(
    r"\$\$.+?\$\$|\\\[.+?\\\]|\\\(.+?\\\)|\$(?=\S)[^$\n]*?(?<=\S)\$(?!\d)", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Block:
    """A part of the text that is rendered by itself.

    `gap` is whether an empty line stands before it; `language` is None for Markdown, and for a
    line of code what the fence says it is.
    """

    source: str
    gap: bool
    language: str | None = None


def parser() -> MarkdownIt:
    """The Markdown that answers are written in."""
    markdown = MarkdownIt("commonmark", {"html": False}).enable(["table", "strikethrough"])
    markdown.disable(["reference", "image"])
    markdown.inline.ruler.before("escape", "math", _math)
    return markdown


def _math(state: StateInline, silent: bool) -> bool:
    found = _MATH.match(state.src, state.pos, state.posMax)
    if found is None:
        return False
    if not silent:
        state.push("text", "", 0).content = found[0]
    state.pos = found.end()
    return True


class BlockSplitter:
    """Splits a text that arrives in chunks."""

    def __init__(self) -> None:
        self._parser = parser()
        self._lines: list[str] = []  # of the open block
        self._line = ""  # that has no end yet
        self._gap = False
        self._fence: str | None = None
        self._language = ""

    @property
    def open(self) -> Block:
        """What is not finished."""
        if self._fence is not None:
            return Block(self._line, self._gap, self._language)
        return Block("\n".join([*self._lines, self._line]), self._gap)

    def feed(self, text: str) -> list[Block]:
        """The blocks that `text` finishes."""
        *lines, self._line = (self._line + text).split("\n")
        return [block for line in lines for block in self._take(line)]

    def end(self) -> list[Block]:
        """The text is over: what was open is finished."""
        last = [*self.feed("\n")] if self._line else []
        return [*last, *self._finish(len(self._lines))]

    def _take(self, line: str) -> Iterator[Block]:
        if self._fence is not None:
            yield from self._take_code(line, self._fence)
        elif found := _FENCE.match(line):
            yield from self._finish(len(self._lines))
            self._fence, self._language = found[1], found[2]
        else:
            previous = self._lines[-1] if self._lines else ""
            self._lines.append(line)
            if _may_begin(line, previous):
                yield from self._split()

    def _take_code(self, line: str, fence: str) -> Iterator[Block]:
        stripped = line.strip()
        if stripped.startswith(fence) and not stripped.strip(fence[0]):
            self._fence, self._gap = None, True
        else:
            yield Block(line, self._gap, self._language)
            self._gap = False

    def _split(self) -> Iterator[Block]:
        begun = 0
        for start, item in _starts(self._parser.parse("\n".join(self._lines))):
            if start > begun:
                count = start - begun
                before = self._lines[count - 1]
                yield from self._finish(count)
                self._gap = self._gap and (not item or not before.strip())
                begun = start

    def _finish(self, count: int) -> Iterator[Block]:
        source = "\n".join(self._lines[:count])
        del self._lines[:count]
        if source.strip():
            yield Block(source, self._gap)
            self._gap = True


def _may_begin(line: str, previous: str) -> bool:
    """Whether a block may begin with this line; asking the parser about each would take long."""
    if not line.strip() or line[0].isspace():
        return False
    if line.startswith(_SERIES) and previous.startswith(line[0]):
        return False
    return not previous.strip() or line.startswith(_MARKS)


def _starts(tokens: list[Token]) -> Iterator[tuple[int, bool]]:
    """The lines at which blocks begin, and whether as an item of a list."""
    for token in tokens:
        if token.map and (
            (token.level == 0 and not token.type.endswith("_list_open"))
            or (token.level == 1 and token.type == "list_item_open")
        ):
            yield token.map[0], token.level == 1
