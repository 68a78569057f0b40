"""Lines of a page: what stands in them is shown without what a terminal would obey."""

from __future__ import annotations

import io

import pytest
from rich.style import Style

from qwen3_mlx.cli.heatmap import Shade, show
from qwen3_mlx.cli.terminal import Terminal

HOSTILE = "model\x1b]0;title\x07\x9b2J\u202e"


class Screen(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def fresh_styles() -> None:
    """A style of Rich keeps the codes of the first screen that it was shown on, of any test."""
    Style.parse.cache_clear()
    Style._add.cache_clear()


@pytest.mark.usefixtures("fresh_styles")
def test_texts_of_a_line_in_colour_are_filtered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    screen = Screen()
    show([HOSTILE, Shade(1), HOSTILE], Terminal(io.StringIO(), screen, screen))
    assert screen.getvalue() == "model\x1b[38;2;68;1;84m█\x1b[0mmodel\n"


def test_texts_of_a_plain_line_are_filtered() -> None:
    out = io.StringIO()
    show([HOSTILE, Shade(1), HOSTILE], Terminal(io.StringIO(), out, io.StringIO()))
    assert out.getvalue() == "model.model\n"
