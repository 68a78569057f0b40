"""Lines of a page: what stands in them is shown without what a terminal would obey."""

from __future__ import annotations

import io

import pytest

from qwen3_mlx.cli.heatmap import Shade, show
from qwen3_mlx.cli.terminal import Terminal

HOSTILE = "model\x1b]0;title\x07\x9b2J\u202e"


class Screen(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


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
