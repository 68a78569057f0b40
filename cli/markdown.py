"""Answers as Markdown while they stream: finished blocks are printed once, the open one is live.

Knows Rich. What is printed is never rewritten, so the scrollback is what rendering the whole answer
at once would give. What a block is, is known to `blocks`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from rich import markdown
from rich.console import Console, ConsoleOptions, RenderResult
from rich.syntax import Syntax
from rich.text import Text

from qwen3_mlx.cli.blocks import Block, BlockSplitter, parser
from qwen3_mlx.cli.filter import DisplayFilter, clean
from qwen3_mlx.cli.region import Region

ROWS = 8
"""Lines of the open block on the screen."""

_THEME = "ansi_dark"
_JOINER = "\u200d"
"""Makes one emoji of several: terminals do not agree on its width, nor so on where lines end."""


class MarkdownAnswer:
    """One answer on a screen.

    Args:
        console: Of the screen.
        live: Whether the open block is shown while it grows.
    """

    def __init__(self, console: Console, *, live: bool = True) -> None:
        self._console = console
        self._filter = DisplayFilter()
        self._blocks = BlockSplitter()
        self._open = self._blocks.open
        self._live = Region(self, console)
        self._moves = live
        self._hint = ""

    def write(self, text: str) -> None:
        """Takes a part of the answer."""
        if self._moves:
            self._live.start()
        finished = self._blocks.feed(self._filter.feed(text))
        self._open = self._blocks.open
        self._print(finished)

    def hint(self, text: str) -> None:
        """What stands below the open block as long as there is one."""
        self._hint = text

    def end(self) -> None:
        """The answer is over; may be called again."""
        finished = self._blocks.end()
        self._open = self._blocks.open
        self._live.stop()
        self._print(finished)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The open block as it is now."""
        below = [Text(self._hint, style="dim", no_wrap=True)] if self._hint else []
        rows = max(1, min(ROWS, options.size.height - 2 - len(below)))
        block = replace(self._open, source=self._open.source.replace(_JOINER, ""))
        lines = [part for line in rendered(block, console) for part in _folded(line, console)]
        if shown := [*lines[-rows:], *below]:
            yield Text("\n").join(shown)

    def _print(self, blocks: list[Block]) -> None:
        lines = [line for block in blocks for line in rendered(block, self._console)]
        if lines:
            self._live.print_above(Text("\n").join(lines))


def rendered(block: Block, console: Console) -> list[Text]:
    """The lines of a block. Those of code may be wider than the screen: it is made for copying."""
    lines = _prose(block.source, console) if block.language is None else [_code(block)]
    return [Text(), *lines] if block.gap and block.source.strip() else lines


def _code(block: Block) -> Text:
    code = Syntax("", block.language or "text", theme=_THEME).highlight(block.source)
    code.rstrip()
    return code


def _prose(source: str, console: Console) -> list[Text]:
    lines: list[Text] = []
    for segments in console.render_lines(_Prose(source), pad=False):
        # Markdown's own escapes, as in `<http://x/%1b>` and `&#x202e;`, are characters only now.
        line = Text.assemble(*((clean(part.text), part.style or "") for part in segments), end="")
        line.rstrip()
        lines.append(line)
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return lines


def _folded(line: Text, console: Console) -> list[Text]:
    return list(line.wrap(console, console.width, overflow="fold")) if line else [line]


class _Heading(markdown.Heading):
    """A heading at the left, where people read."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The heading."""
        self.text.justify = "left"
        yield self.text


class _Prose(markdown.Markdown):
    """A block; line breaks of the source are kept, and the address of a link is shown."""

    elements: ClassVar[dict[str, type[markdown.MarkdownElement]]] = {
        **markdown.Markdown.elements,
        "heading_open": _Heading,
    }

    def __init__(self, source: str) -> None:
        super().__init__("", code_theme=_THEME, hyperlinks=False)
        self.markup = source
        self.parsed = parser().parse(source)
        for token in self.parsed:
            for child in token.children or ():
                child.type = "hardbreak" if child.type == "softbreak" else child.type
