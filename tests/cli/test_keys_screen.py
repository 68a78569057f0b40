"""Keys while the model talks: in a terminal, as a person presses them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.cli.fakes import Hold, Step, answers, stops, thinks
from tests.cli.screen import Screen

THOUGHT = "thought for 3.2 s · 118 of 512 tokens · stopped by itself"
EVERY_KEY = "x\r\n\t\x04\x1b[A\x1b[1;5C\x1bOP\x1b[200~pasted +\n\x1b[201~é日本👩q\x1bb"


def asked(start: Start, *turns: list[Step]) -> Screen:
    """A chat whose first question has just been asked."""
    screen = start(*turns)
    screen.wait_for("›")
    screen.type("1?\r")
    return screen


def test_plus_and_minus_turn_the_bar_at_once(start: Start) -> None:
    screen = asked(start, [*thinks("hm", start=112), Hold()])
    screen.wait_for("112/512")
    screen.type("+")
    screen.wait_for("112/912")
    screen.type("--")
    screen.wait_for("112/312")
    screen.type("\x03")
    screen.wait_for("thought for 3.2 s · 112 of 312 tokens · stopped by you")


def test_a_number_or_none_can_be_typed(start: Start) -> None:
    screen = asked(start, [*thinks("hm", start=112), Hold()])
    screen.wait_for("112/512")
    screen.type("=20")
    screen.wait_for("112/512 · budget = 20_")
    screen.type("00\r")
    screen.wait_for("112/2000")
    screen.type("=none\r")
    screen.wait_for("thinking 112 tokens")


@pytest.mark.parametrize("key", [" ", "\x1b", "  ", " \x1b"])
def test_answer_now(start: Start, key: str) -> None:
    screen = asked(start, [*thinks("hm", start=112), Hold(), *stops(), *answers("5")])
    screen.wait_for("112/512")
    screen.type(key)
    screen.wait_for("5\n\n›")
    assert "thought for 3.2 s · 112 of 512 tokens · stopped by you\n5" in screen.text


def test_the_next_turn_has_the_budget_of_before(start: Start) -> None:
    turn = [*thinks("hm", start=112), Hold(), *stops(), *answers("5")]
    screen = asked(start, turn, turn)
    screen.wait_for("112/512")
    screen.type("+")
    screen.wait_for("112/912")
    screen.type(" ")
    screen.wait_for("5\n\n›")
    screen.type("2?\r")
    screen.wait_for("112/512")
    screen.type(" ")
    screen.wait_for("stopped by you\n5\n\n› 2?\nthought for 3.2 s · 112 of 512")


def test_no_other_key_does_anything_or_is_left_for_the_prompt(start: Start, tmp_path: Path) -> None:
    think, answer = tmp_path / "think", tmp_path / "answer"
    turn = [*thinks("hm"), Hold(str(think)), *stops(), *answers("1"), Hold(str(answer))]
    screen = asked(start, turn, answers("5"))
    screen.wait_for("1/512")
    screen.type(EVERY_KEY)
    think.touch()
    screen.wait_for("stopped by itself\n1")
    screen.type(f"{EVERY_KEY} +-=64\r")
    answer.touch()
    screen.wait_for("1\n\n›")
    screen.type("2 + 3?\r")
    screen.wait_for("› 2 + 3?\n5\n\n›")
    assert screen.text.endswith(f"› 1?\n{THOUGHT}\n1\n\n› 2 + 3?\n5\n\n›")


def test_keys_at_the_token_that_closes_the_block_do_no_harm(start: Start, tmp_path: Path) -> None:
    think, answer = tmp_path / "think", tmp_path / "answer"
    turn = [*thinks("hm"), Hold(str(think)), *stops(), *answers("1"), Hold(str(answer))]
    screen = asked(start, turn, [*thinks("hm"), Hold()])
    screen.wait_for("1/512")
    think.touch()
    screen.type("\x1b[A+ -\x1b=9")
    screen.wait_for("\n1")
    answer.touch()
    screen.wait_for("1\n\n›")
    screen.type("2?\r")
    screen.wait_for("1/512")
    assert "answering" not in screen.text


def test_a_question_taken_back_is_under_the_up_key(start: Start) -> None:
    screen = asked(start, [*thinks("hm"), Hold()], answers("5"))
    screen.wait_for("1/512")
    screen.type("\x03")
    screen.wait_for("taken back\n\n›")
    screen.type("\x1b[A")
    screen.wait_for("taken back\n\n› 1?")
    screen.type("\r")
    screen.wait_for("› 1?\n5\n\n›")


def test_thoughts_can_be_shown_in_full_again_and_hidden(start: Start) -> None:
    lines = [f"line {number}\n" for number in range(1, 11)]
    turn = [*thinks(*lines), *stops(), *answers("5")]
    screen = start(turn, turn, rows=50)
    screen.wait_for("›")
    screen.type("/thoughts full\r")
    screen.wait_for("thoughts: full\n\n›")
    screen.type("1?\r")
    shown = "".join(lines)
    screen.wait_for(
        f"› 1?\n{shown}thought for 3.2 s · 118 of 512 tokens · stopped by itself\n5\n\n›"
    )
    screen.type("/thoughts last\r")
    screen.wait_for(f"› /thoughts last\n{shown}\n›")
    screen.type("/thoughts hidden\r")
    screen.wait_for("thoughts: hidden\n\n›")
    screen.type("2?\r")
    screen.wait_for(f"› 2?\n{THOUGHT}\n5\n\n›")
