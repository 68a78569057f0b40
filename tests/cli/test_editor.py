"""The line editor on a terminal of its own: what it shows of lines and names, and what it gives."""

from __future__ import annotations

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from qwen3_mlx.cli.editor import LineEditor
from qwen3_mlx.cli.history import TypedLines
from tests.trust.editing import edited

UP = "\x1b[A"


def test_names_are_listed_without_what_a_terminal_obeys() -> None:
    shown = edited(["one\x9b2J\u202e.txt", "two\x1b]0;title\x07.txt"], "")
    assert "one.txt" in shown
    assert "two.txt" in shown
    assert not {"\x9b", "\u202e", "\x07"} & {*shown}


def test_what_reorders_a_line_is_shown_where_it_stands() -> None:
    shown = edited([], "user\u202etxt")
    assert "user\ufffdtxt" in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize(
    ("before", "line"),
    [
        ("half \ud83d a pair", "half \ufffd a pair"),
        ("a \udcff byte", "a \ufffd byte"),
        ("\udcc3\udca9", "é"),  # bytes of a terminal that come one by one
        ("user\u202etxt", "user\u202etxt"),
    ],
)
def test_a_line_is_given_as_it_is_but_for_what_is_no_character(before: str, line: str) -> None:
    typed = TypedLines(None)
    typed.add(before)
    with create_pipe_input() as keys, create_app_session(input=keys, output=DummyOutput()):
        keys.send_text(f"{UP}\r")
        assert LineEditor(typed).read() == line
