"""Answers as Markdown: how they look, and that streaming leaves what rendering at once does."""

from __future__ import annotations

import io
from itertools import pairwise

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console

from qwen3_mlx.cli.blocks import BlockSplitter
from qwen3_mlx.cli.markdown import MarkdownAnswer

ANSWER = """\
# Sums of **two** numbers
To add *two* numbers, write `a + b`:
- ones first,
- then tens
  - and carry

1. one
10. ten

| number | 日本語 |
|:-------|----:|
| one    | 一 |
| e\u0301\u0301 | שלום |

```python
def add(a, b):
    return a + b  # a comment that is longer than the narrowest of the screens here

```
LaTeX stays: $a_1 * b_2$, \\(x_1\\) and \\[ y \\\\ z \\], but $5 and **$10** are prices.
> quoted
> twice

---
[a link](https://example.org), <b>no tag</b>, 👩‍👩‍👧 and an end without a line"""


def console(width: int = 60) -> Console:
    return Console(
        file=io.StringIO(),
        force_terminal=True,
        width=width,
        height=24,
        markup=False,
        highlight=False,
        emoji=False,
    )


def scrollback(written: str, width: int) -> list[str]:
    """Everything that a terminal holds after this was written to it."""
    screen = pyte.HistoryScreen(width, 24, history=10_000)
    pyte.Stream(screen).feed(written.replace("\n", "\r\n"))
    rows = [*screen.history.top, *(screen.buffer[row] for row in range(24))]
    lines = ["".join(row[column].data for column in range(width)).rstrip() for row in rows]
    return "\n".join(lines).rstrip().splitlines()


def streamed(chunks: list[str], width: int, *, live: bool = True) -> list[str]:
    page = console(width)
    answer = MarkdownAnswer(page, live=live)
    for chunk in chunks:
        answer.write(chunk)
    answer.end()
    assert isinstance(page.file, io.StringIO)
    return scrollback(page.file.getvalue(), width)


@pytest.mark.parametrize("width", [20, 40, 80, 120])
@pytest.mark.parametrize("size", [1, 3, 17, 10_000])
def test_streaming_leaves_what_rendering_at_once_does(width: int, size: int) -> None:
    chunks = [ANSWER[start : start + size] for start in range(0, len(ANSWER), size)]
    assert streamed(chunks, width) == streamed([ANSWER], width, live=False)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                *("# a\n", "b", "\n", "\n\n", "- c\n", "  - d\n", "1. e\n", "```\n", "|f|\n"),
                *("|-|\n", "> g\n", "**h", "日本", "    i\n", "===\n", "---\n", "$x_1$ ", "\t"),
            ]
        )
    ).map("".join),
    st.lists(st.integers(0, 60)),
)
def test_where_it_is_cut_changes_nothing(text: str, cuts: list[int]) -> None:
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    chunks = [text[start:stop] for start, stop in pairwise(edges)]
    assert streamed(chunks, 30) == streamed([text], 30, live=False)


def test_how_it_looks() -> None:
    lines = streamed([ANSWER], 120)
    assert lines[:8] == [
        "Sums of two numbers",
        "",
        "To add two numbers, write a + b:",
        " • ones first,",
        " • then tens",
        "    • and carry",
        "",
        " 1 one",
    ]
    assert lines[8] == " 10 ten"
    assert (
        "    return a + b  # a comment that is longer than the narrowest of the screens here"
        in lines
    )
    assert (
        "LaTeX stays: $a_1 * b_2$, \\(x_1\\) and \\[ y \\\\ z \\], but $5 and $10 are prices."
        in lines
    )
    assert "▌ quoted" in lines
    assert "a link (https://example.org), <b>no tag</b>, " in "\n".join(lines)


@pytest.mark.parametrize(
    "text",
    [
        "145",
        "145\n146",
        "$$\na_1 * b_2 * c\n$$",
        "[1]: https://example.org",
        "<p>text</p>",
        "a_b_c",
    ],
)
def test_what_is_no_markup_stays_as_it_was_typed(text: str) -> None:
    assert streamed([text], 60) == text.splitlines()


@pytest.mark.parametrize(
    ("markup", "shown"),
    [
        ("<http://x/%1b%5d0;title%07>", "http://x/ (http://x/%1b%5d0;title%07)"),
        ("<http://x/%c2%9b31y>", "http://x/ (http://x/%c2%9b31y)"),
        ("user&#x202e;txt", "usertxt"),
        ("a&#27;b", "a\ufffdb"),
    ],
)
def test_markup_makes_no_character_that_the_filter_drops(markup: str, shown: str) -> None:
    assert streamed([markup], 60) == [shown]


def test_an_open_fence_appears_line_by_line() -> None:
    splitter = BlockSplitter()
    found = splitter.feed("```python\nx = 1\n\ny =")
    assert [(block.source, block.language) for block in found] == [
        ("x = 1", "python"),
        ("", "python"),
    ]
    assert splitter.open.source == "y ="


def test_items_of_a_list_are_finished_one_by_one() -> None:
    splitter = BlockSplitter()
    assert [block.source for block in splitter.feed("- a\n- b\n- c\n")] == ["- a", "- b"]


@pytest.mark.parametrize("part", ["a line of a poem\n", "- an item\n", "a paragraph\n\n", "> so\n"])
def test_long_answers_are_read_a_bounded_number_of_times(
    part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    parse = MarkdownIt.parse

    def counting(self: MarkdownIt, src: str, env: None = None) -> list[Token]:
        read.append(len(src))
        return parse(self, src, env)

    monkeypatch.setattr(MarkdownIt, "parse", counting)
    splitter = BlockSplitter()
    for _ in range(500):
        splitter.feed(part)
    splitter.end()
    assert sum(read) <= 4 * 500 * len(part)


def test_an_answer_may_end_twice() -> None:
    page = console()
    answer = MarkdownAnswer(page)
    answer.write("5")
    answer.end()
    answer.end()
    assert isinstance(page.file, io.StringIO)
    assert scrollback(page.file.getvalue(), 60) == ["5"]


def test_the_lines_of_an_open_block_stand_one_below_the_other() -> None:
    page = console()
    answer = MarkdownAnswer(page)
    answer.write("- one\n- two")
    page.print(answer)
    assert isinstance(page.file, io.StringIO)
    shown = [line.strip() for line in scrollback(page.file.getvalue(), 60)]
    answer.end()
    assert shown[:2] == ["• one", "• two"]
