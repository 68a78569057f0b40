"""The key for the other way, and what is said about the choice that it changes."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.choices import Switch
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.turnabout import Turnabout
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import AnswerDelta, Done, Event, ThinkingChosen
from tests.cli.conftest import Invoke, Start
from tests.cli.fakes import FakeLLM, Hold, answers, chooses, stops, thinks

LOOKUP = ThinkingChosen(think=False, reason="lookup-like")
SUM = ThinkingChosen(think=True, reason="a calculation")
SAID = "lookup-like: not thinking, /think to change"


class Stops:
    """Counts how often the turn was stopped."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def watched(*events: Event) -> tuple[Turnabout, Stops]:
    counted = Stops()
    again = Turnabout(counted)
    assert list(again.watched(events)) == [*events]
    return again, counted


def test_the_key_ends_a_turn_that_auto_chose() -> None:
    again, counted = watched(LOOKUP)
    assert not again.press("x")
    assert (again.other, counted.count) == (None, 0)
    assert again.press("T")
    assert [again.other, counted.count] == [True, 1]


def test_the_key_does_nothing_where_nothing_was_chosen_or_the_turn_is_over(llm: FakeLLM) -> None:
    llm.enqueue(answers("5"))
    done = list(llm.conversation.stream("?"))[-1]
    assert isinstance(done, Done)
    for again, counted in (watched(AnswerDelta("5")), watched(LOOKUP, done)):
        assert not again.press("t")
        assert (again.other, counted.count) == (None, 0)


def test_what_is_said_about_a_choice() -> None:
    assert wording.chosen(LOOKUP) == SAID
    assert wording.chosen(LOOKUP, "t") == f"{SAID} · t: think now"
    assert wording.chosen(SUM, "t") == (
        "a calculation: thinking, /no_think to change · t: answer now"
    )


def test_how_the_next_turn_begins() -> None:
    assert wording.mode(thinks="auto", budget=512, room=4000) == (
        "thinks up to 512 tokens, but not to look things up"
    )
    assert wording.mode(thinks="auto", budget=0, room=4000) == "answers at once (budget 0)"


def test_the_setting_says_auto() -> None:
    assert Settings(thinking=Switch.AUTO).thinks == "auto"
    with pytest.raises(UsageError, match="--thinking auto contradicts --no-think"):
        Settings(thinking=Switch.AUTO, think=False)


def test_ask_says_the_choice_beside_the_answer(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(chooses(think=False), answers("Lima"))
    result = invoke("ask", "capital of Peru?", "--thinking", "auto")
    assert (llm.wishes["thinking"], result.stdout) == ("auto", "Lima\n")
    assert f"[{SAID}]" in result.stderr


def test_the_choice_is_a_line_of_jsonl(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(chooses(think=False), answers("Lima"))
    lines = invoke("ask", "capital of Peru?", "--thinking", "auto", "--jsonl").stdout.splitlines()
    assert lines[0] == '{"event": "thinking_chosen", "think": false, "reason": "lookup-like"}'


def test_the_file_may_say_auto(invoke: Invoke, llm: FakeLLM, config_home: Path) -> None:
    (config_home / "qwen3-mlx").mkdir(parents=True)
    (config_home / "qwen3-mlx" / "config.toml").write_text('thinking = "auto"\n')
    llm.enqueue(answers("Lima"))
    invoke("ask", "capital of Peru?")
    assert llm.wishes["thinking"] == "auto"
    assert "thinking" in (shown := invoke("config", "show").stdout)
    assert "auto" in shown


def test_the_command_sets_the_mode(invoke: Invoke, llm: FakeLLM) -> None:
    said = invoke("chat", stdin="/thinking auto\n/thinking\n/thinking off\n/thinking maybe\n")
    assert said.stderr.count("thinks up to 512 tokens, but not to look things up") == 2
    assert "answers at once" in said.stderr
    assert "'maybe' is no way to think" in said.stderr
    assert llm.conversation.thinking is False


def test_the_key_begins_the_turn_again_in_the_other_way(start: Start) -> None:
    first = [*chooses(think=False), *answers("Li"), Hold()]
    screen = start(first, [*thinks("hm"), *stops(), *answers("Lima!")])
    screen.wait_for("›")
    screen.type("1?\r")
    screen.wait_for(f"{SAID}\nLi\nt: think now")
    screen.type("t")
    screen.wait_for("again, thinking")
    screen.wait_for("Lima!\n\n›")
    assert "t: think now" not in screen.text


def test_the_key_is_said_while_it_reads_and_while_it_thinks(start: Start, tmp_path: Path) -> None:
    read = tmp_path / "read"
    turn = [*chooses(think=True), Hold(str(read)), *thinks("hm"), Hold()]
    screen = start(turn, columns=120)
    screen.wait_for("›")
    screen.type("1?\r")
    screen.wait_for("reading · t: answer now")
    read.touch()
    screen.wait_for("t: answer now · + - = budget · space answers")
    screen.type("\x03")
    screen.wait_for("the question is taken back\n\n›")
    assert "t: answer now" not in screen.text


def test_on_a_plain_terminal_the_key_is_said_with_the_choice(start: Start) -> None:
    screen = start([*chooses(think=False), *answers("Lima")], args=("chat", "--plain"))
    screen.wait_for("›")
    screen.type("1?\r")
    screen.wait_for(f"[{SAID} · t: think now]\nLima")


def test_the_key_answers_at_once_what_was_thought_about(start: Start) -> None:
    screen = start([*chooses(think=True), *thinks("hm"), Hold()], answers("19"))
    screen.wait_for("›")
    screen.type("1?\r")
    screen.wait_for("1/512")
    screen.type("t")
    screen.wait_for("again, not thinking")
    screen.wait_for("19\n\n›")
    assert "the question is taken back" not in screen.text


def test_ctrl_c_comes_before_the_key(start: Start) -> None:
    screen = start([*chooses(think=False), Hold()])
    screen.wait_for("›")
    screen.type("1?\r")
    screen.wait_for("t: think now")
    screen.type("\x03")
    screen.wait_for("the question is taken back")
