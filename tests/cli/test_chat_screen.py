"""`chat` in a terminal: a process of its own, a pty, and the screen as a person sees it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Start
from tests.cli.fakes import Hold, answers, stops, thinks


def steady(text: str) -> str:
    """The screen without the figures that depend on the machine, and the bar they leave room."""
    return re.sub(r"thinking [━─]+ (\d+/\d+) · \S+ tok/s · \d+\.\d s", r"thinking ━─ \1", text)


WELCOME = """\
qwen3-mlx 1.2.3 · tiny · thinks up to 512 tokens
tiny is a small demonstration model for sums, word problems and look-ups.
For a real Qwen3: qwen3-mlx pull 8b (4.61 GB, fits this machine)
/help lists the commands · Ctrl-C stops an answer · Ctrl-D leaves
"""
KEYS = "+ - = budget · space answers"
THOUGHT = "thought for 3.2 s · 118 of 512 tokens · stopped by itself"
QUESTION = "What is 47 + 86 + 12?"


def test_the_first_screen_is_short_and_suggests_a_question(start: Start) -> None:
    screen = start()
    assert screen.wait_for("›") == WELCOME + "\n› What is 47 + 86 + 12?"
    screen.type("\x04")
    assert screen.finish() == 0
    assert screen.text == WELCOME + "\n›"


def test_thoughts_stream_above_the_bar_and_fold_to_one_line(start: Start, tmp_path: Path) -> None:
    think, answer = tmp_path / "think", tmp_path / "answer"
    thoughts = thinks("47 + 86", " = 133\n", "133 + 12 = 145", start=126)
    screen = start(
        [Hold(str(think)), *thoughts, Hold(str(answer)), *stops(), *answers("\n\n14", "5")]
    )
    screen.wait_for("›")
    screen.type(f"{QUESTION}\r")
    screen.wait_for("reading")
    think.touch()
    screen.wait_for("133 + 12 = 145")
    assert steady(screen.text) == (
        f"{WELCOME}\n› {QUESTION}\n47 + 86 = 133\n133 + 12 = 145\nthinking ━─ 128/512 · {KEYS}"
    )
    assert b"\x1b[2m47 + 86 = 133" in screen.raw  # pyte knows nothing of dim
    answer.touch()
    screen.wait_for("145\n\n›")
    assert screen.text == f"{WELCOME}\n› {QUESTION}\n{THOUGHT}\n145\n\n›"
    assert b"\x1b[2mthought for" in screen.raw
    assert not screen.cursor_hidden


def test_several_turns_stand_under_each_other(start: Start) -> None:
    screen = start(answers("5"), [*thinks("hm"), *stops("budget"), *answers("As I said: 5.\n")])
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("Really?\r")
    screen.wait_for("5.\n\n›")
    assert screen.text == (
        f"{WELCOME}\n› 2 + 3?\n5\n\n› Really?\n"
        "thought for 3.2 s · 118 of 512 tokens · stopped by the budget\n"
        "As I said: 5.\n\n›"
    )


def test_only_the_last_lines_of_long_thoughts_are_shown(start: Start) -> None:
    screen = start([*thinks(*(f"line {n}\n" for n in range(1, 31))), Hold()])
    screen.wait_for("›")
    screen.type("Count\r")
    screen.wait_for("30/512")
    lines = steady(screen.text).splitlines()
    assert lines[6:] == [
        *(f"line {n}" for n in range(23, 31)),
        f"thinking ━─ 30/512 · {KEYS}",
    ]


def test_ctrl_c_stops_the_answer_and_not_the_session(start: Start) -> None:
    screen = start([*answers("Once upon"), Hold()], answers("5"))
    screen.wait_for("›")
    screen.type("A tale\r")
    screen.wait_for("Once upon")
    screen.type("\x03")
    screen.wait_for("stopped\n\n›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("/exit\r")
    assert screen.finish() == 0
    assert screen.text == (f"{WELCOME}\n› A tale\nOnce upon\nstopped\n\n› 2 + 3?\n5\n\n› /exit")


def test_ctrl_c_while_thinking_takes_the_question_back(start: Start) -> None:
    screen = start([*thinks("hm", start=41), Hold()])
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("41/512")
    screen.type("\x03")
    screen.wait_for("taken back")
    assert screen.wait_for("taken back\n\n›") == (
        f"{WELCOME}\n› 2 + 3?\n"
        "thought for 3.2 s · 41 of 512 tokens · stopped by you\n"
        "stopped before an answer; the question is taken back\n\n›"
    )
    assert not screen.cursor_hidden


def test_a_second_ctrl_c_leaves(start: Start) -> None:
    screen = start([*answers("Once upon"), Hold()])
    screen.wait_for("›")
    screen.type("A tale\r")
    screen.wait_for("Once upon")
    screen.type("\x03")
    screen.wait_for("stopped\n\n›")
    screen.type("\x03")
    assert screen.finish() == 130


def test_ctrl_c_at_the_prompt_warns_first(start: Start) -> None:
    screen = start()
    screen.wait_for("›")
    screen.type("half a question")
    screen.wait_for("half a question")
    screen.type("\x03")  # drops the line
    screen.wait_until(lambda: screen.text == f"{WELCOME}\n› {QUESTION}", "the empty prompt")
    screen.type("\x03")
    screen.wait_for("Ctrl-C once more leaves, and so does Ctrl-D\n›")
    screen.type("\x03")
    assert screen.finish() == 130


def test_forty_columns(start: Start) -> None:
    text = "first the tens, then the ones, then all of it together"
    screen = start([*thinks(text, start=200), Hold()], columns=40)
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("together")
    *lines, bar = screen.text.splitlines()[-3:]
    assert re.fullmatch(r"thinking ━+─+ 200/512( · \S+ tok/s)?", bar)
    assert lines == [
        "first the tens, then the ones, then all",
        "of it together",
    ]
    screen.type("\x03")
    screen.wait_for("\nthought 3.2 s · 200/512 · by you\n")


@pytest.mark.parametrize(
    "how", [{"env": {"NO_COLOR": "1"}}, {"args": ("chat", "--plain")}], ids=["NO_COLOR", "--plain"]
)
def test_plain_text_when_it_is_wanted(
    start: Start, tmp_path: Path, how: dict[str, dict[str, str]]
) -> None:
    go = tmp_path / "go"
    screen = start([*thinks("hm\n"), Hold(str(go)), *stops(), *answers("**5**")], **how)
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("[thinking 1/512] hm")
    before = len(screen.raw)
    screen.type("+")
    screen.wait_for("[thinking budget: 1023 tokens]")
    go.touch()
    screen.wait_for("**5**\n\n›")
    plain = screen.raw[before : screen.raw.index(b"**5**")]
    assert b"\x1b" not in plain
    assert b"[thought for 3.2 s \xc2\xb7 118 of 1023 tokens \xc2\xb7 stopped by itself]" in plain


def test_a_dumb_terminal_gets_plain_lines(start: Start) -> None:
    screen = start([*thinks("hm\n"), *stops(), *answers("5")], env={"TERM": "dumb"})
    screen.wait_for(f"{WELCOME}\n›")
    screen.type("2 + 3?\r")
    screen.wait_for("5\n\n›")
    screen.type("/copy\r\x04")
    assert screen.finish() == 0
    assert b"\x1b" not in screen.raw
    assert screen.text == (
        f"{WELCOME}\n› 2 + 3?\n[thinking 1/512] hm\n"
        "[thought for 3.2 s · 118 of 512 tokens · stopped by itself]\n5\n\n"
        "› /copy\nError: there is no clipboard here: this terminal takes no escape codes\n\n›"
    )


def test_hostile_thoughts_and_answers_cannot_move_the_cursor(start: Start) -> None:
    screen = start([*thinks("\x1b[2J\x1b[H", "calm"), *stops(), *answers("\x1b[2", "J5\r6")])
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("56\n\n›")
    assert screen.text == f"{WELCOME}\n› 2 + 3?\n{THOUGHT}\n56\n\n›"


def test_several_pasted_lines_are_one_message(start: Start) -> None:
    screen = start(answers("41"))
    screen.wait_for("›")
    screen.type("\x1b[200~The code of Ann is 41.\nWhat is it?\x1b[201~")
    screen.wait_for("What is it?")
    screen.type("\r")
    screen.wait_for("41\n\n›")
