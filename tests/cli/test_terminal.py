"""What a terminal is sent, byte for byte."""

from __future__ import annotations

import base64
import io

import pytest

from qwen3_mlx.cli.terminal import Terminal


@pytest.mark.parametrize(
    ("text", "copied"),
    [
        ("größer", "größer"),
        ("\x1b]0;a\x07", "\x1b]0;a\x07"),
        ("half \ud83d a pair", "half ? a pair"),
    ],
)
def test_any_text_can_be_copied(text: str, copied: str) -> None:
    screen = io.StringIO()
    terminal = Terminal(io.StringIO(), screen, screen)
    terminal.conversational = True
    terminal.copy(text)
    assert screen.getvalue() == f"\x1b]52;c;{base64.b64encode(copied.encode()).decode()}\x07"


@pytest.mark.parametrize(
    ("typed", "chosen"), [("d\n", "d"), (" Y \n", "y"), ("x\n", ""), ("dn\n", ""), ("\n", "")]
)
def test_one_letter_is_chosen_or_none(typed: str, chosen: str) -> None:
    screen = io.StringIO()
    terminal = Terminal(io.StringIO(typed), screen, screen)
    assert terminal.choose("d or n or y:", "dny") == chosen
    assert screen.getvalue() == "d or n or y: "
