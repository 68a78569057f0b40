"""The prompt line in a terminal: history, several lines, keys, the toolbar, a full context."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from qwen3_mlx.errors import ContextOverflowError
from tests.cli.conftest import Start
from tests.cli.fakes import Hold, answers, stops, thinks

TOO_LONG = ContextOverflowError("the prompt has 5000 tokens and the context 4096")
UP = "\x1b[A"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state folder of the chats."""
    return tmp_path / "state" / "qwen3-mlx"


def test_the_toolbar_says_how_the_next_turn_would_go(start: Start) -> None:
    screen = start(answers("5"))
    screen.wait_for("›")
    screen.wait_until(
        lambda: screen.toolbar == "tiny · thinks up to 512 tokens · context 0 of 4096 (0%)",
        "the toolbar",
    )
    screen.type("\x14")
    screen.wait_until(
        lambda: screen.toolbar == "tiny · answers at once · context 0 of 4096 (0%)",
        "the other mode",
    )
    screen.type("\x14/budget 64\r")
    screen.wait_until(
        lambda: screen.toolbar == "tiny · thinks up to 64 tokens · context 0 of 4096 (0%)",
        "the budget",
    )
    screen.type("\x14Hello\r")
    screen.wait_for("5\n\n›")
    assert "Hello" in screen.text
    screen.type("\x04")
    assert screen.finish() == 0
    assert screen.toolbar == ""


def test_what_was_typed_comes_back_in_the_next_chat(start: Start, state: Path) -> None:
    screen = start(answers("5"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("\x04")
    assert screen.finish() == 0
    assert json.loads((state / "history.jsonl").read_text()) == "2 + 3?"
    again = start(answers("5"))
    again.wait_for("›")
    again.type(f"{UP}\r")
    again.wait_for("› 2 + 3?\n5\n\n›")


def test_without_history_nothing_is_kept(start: Start, state: Path) -> None:
    screen = start(answers("5"), args=("chat", "--no-history"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type(f"{UP}")
    screen.wait_for("5\n\n› 2 + 3?")
    assert not state.exists()


def test_a_question_taken_back_is_under_the_up_key(start: Start) -> None:
    screen = start([*thinks("hm"), Hold()], answers("5"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("1/512")
    screen.type("\x03")
    screen.wait_for("taken back\n\n›")
    screen.type(f"{UP}")
    screen.wait_for("taken back\n\n› 2 + 3?")


def test_edit_puts_the_last_question_on_the_line(start: Start) -> None:
    screen = start(answers("5"), answers("6"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("/edit\r")
    screen.wait_for("/edit\n\n› 2 + 3?")
    screen.type("\x7f\x7f4?\r")
    screen.wait_for("› 2 + 4?\n6\n\n›")


def test_several_lines(start: Start) -> None:
    screen = start(answers("5"), answers("6"), answers("7"))
    screen.wait_for("›")
    screen.type("one\x1b\rtwo\r")
    screen.wait_for("› one\n  two\n5\n\n›")
    screen.type('"""one\rtwo"""\r')
    screen.wait_for('› """one\n  two"""\n6\n\n›')
    screen.type("\x1b[200~pasted\nlines\x1b[201~\r")
    screen.wait_for("› pasted\n  lines\n7\n\n›")


def test_the_last_thoughts_are_a_key_away(start: Start) -> None:
    screen = start([*thinks("2 + 3", " = 5"), *stops(), *answers("5")])
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("half a ques\x0f")
    screen.wait_for("2 + 3 = 5\n› half a ques")


def test_an_answer_is_copied_as_terminals_have_it(start: Start) -> None:
    screen = start(answers("größer"))
    screen.wait_for("›")
    screen.type("2 + 3?\r/copy\r")
    screen.wait_for("on the clipboard")
    assert b"\x1b]52;c;" + base64.b64encode("größer".encode()) + b"\x07" in screen.raw


def test_tab_completes(start: Start) -> None:
    screen = start()
    screen.wait_for("›")
    screen.type("/bud\t 64\r")
    screen.wait_for("thinking budget: 64 tokens")


class TestFullContext:
    def test_the_oldest_turn_goes(self, start: Start) -> None:
        screen = start(answers("5"), [TOO_LONG], answers("6"))
        screen.wait_for("›")
        screen.type("2 + 3?\r")
        screen.wait_for("5\n\n›")
        screen.type("More?\r")
        screen.wait_for("y makes the context 8192 tokens (YaRN):")
        screen.type("d\r")
        screen.wait_for("6\n\n›")

    def test_it_is_left(self, start: Start) -> None:
        screen = start([TOO_LONG], answers("6"))
        screen.wait_for("›")
        screen.type("2 + 3?\r")
        screen.wait_for("y makes the context 8192 tokens (YaRN):")
        screen.type("\r")
        screen.wait_for("›")
        screen.type("Short?\r")
        screen.wait_for("6\n\n›")

    def test_it_is_doubled(self, start: Start) -> None:
        screen = start([TOO_LONG], answers("6"))
        screen.wait_for("›")
        screen.type("2 + 3?\r")
        screen.wait_for("y makes the context 8192 tokens (YaRN):")
        screen.type("y\r")
        screen.wait_for("6\n\n›")


def test_the_last_conversation_goes_on(start: Start, state: Path) -> None:
    screen = start(answers("5"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    assert [m["content"] for m in json.loads((state / "last.json").read_text())["messages"]] == [
        "2 + 3?",
        "5",
    ]
    again = start(answers("6"), args=("chat", "--resume"))
    again.wait_for("1 turn of a conversation with tiny")
    again.type("/context\r")
    again.wait_for("1 turn\n")


def test_there_may_be_nothing_to_go_on_with(start: Start) -> None:
    screen = start(args=("chat", "--resume"))
    assert screen.finish() == 2
    assert screen.text.startswith("Error: there is no conversation to go on with\n")


def test_ctrl_c_at_a_full_context_goes_on(start: Start) -> None:
    """With nothing to drop, only a longer context is offered."""
    screen = start([ContextOverflowError("it is full")], answers("5"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("Error: it is full\ny makes the context 8192 tokens (YaRN):")
    screen.type("\x03")
    screen.wait_for("the question was not asked\n\n›")
    assert screen.text.count("it is full") == 1
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")


def test_the_line_to_edit_is_shown_where_no_line_is_edited(start: Start) -> None:
    screen = start(answers("5"), args=("chat", "--plain"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("/edit\r")
    screen.wait_for("[to be written anew: 2 + 3?]\n›")


def test_tab_lists_above_the_line_and_leaves_nothing_else(start: Start) -> None:
    screen = start(answers("5"))
    screen.wait_for("›")
    screen.type("/th\t")
    screen.wait_for("\n\n/think    /thinking /thoughts\n› /th")
    screen.type("o\t\r")
    screen.wait_for("/think    /thinking /thoughts\n› /thoughts\nthoughts: window\n\n›")
