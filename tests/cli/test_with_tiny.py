"""The whole way with the bundled model: a real process, a real model, right answers."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.screen import REPOSITORY, Screen

PROGRAM = [sys.executable, "-m", "qwen3_mlx"]
SUM = "What is 47 + 86 + 12?"
FOLDED = r"thought for \d+\.\d s · (\d+) of 512 tokens · stopped by itself"


def run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *args],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=True,
    )


@pytest.fixture
def screen(config_home: Path) -> Iterator[Screen]:
    """`chat` in a terminal, at its first prompt."""
    with Screen([*PROGRAM, "chat"]) as screen:
        screen.wait_for("›")
        yield screen


def test_ask_thinks_on_stderr_and_answers_on_stdout() -> None:
    done = run("ask", SUM)
    assert "145" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert re.search(rf"^\[{FOLDED}\]$", done.stderr, re.MULTILINE)
    assert "47+86=133" in done.stderr.replace(" ", "")


def test_json_counts_what_the_budget_allowed() -> None:
    reply = json.loads(run("ask", SUM, "--budget", "16", "--json").stdout)
    assert (reply["model"], reply["stop_thinking"], reply["finish_reason"]) == (
        "tiny",
        "budget",
        "stop",
    )
    assert reply["usage"]["thinking_tokens"] == 16
    assert reply["usage"]["injected_tokens"] > 0
    assert min(reply["timing"].values()) > 0


def test_piped_text_can_be_asked_about() -> None:
    story = "Tom has 12 apples and buys 7 more.\n"
    assert "19" in run("ask", "How many apples does Tom have now?", stdin=story).stdout


def test_chat_through_pipes_keeps_the_conversation() -> None:
    done = run("chat", stdin=f"{SUM}\n/no_think\nWhat is 2 + 3?\n")
    first, second = done.stdout.splitlines()
    assert "145" in first
    assert "5" in second
    assert done.stderr.count("[thought for") == 1


def test_another_model_takes_what_was_set_without_thinking() -> None:
    """The budget leaves no room in so few tokens, but nothing is thought."""
    lines = ["/thinking off", "/set max_tokens 20", "/budget 5", "/model tiny-dense", "/model"]
    done = run("chat", stdin="\n".join(lines))
    assert done.stderr.splitlines()[-1] == "[model: tiny-dense]"
    assert "Error" not in done.stderr


def test_a_newcomer_s_first_minute(screen: Screen) -> None:
    assert "is a small demonstration model" in screen.text
    assert "For a real Qwen3: qwen3-mlx pull " in screen.text
    screen.type(f"{SUM}\r")
    screen.wait_for("145")
    screen.wait_until(lambda: screen.text.endswith("\n\n›"), "the next prompt")
    question, folded, answer = screen.text.split("\n\n")[1].splitlines()
    assert question == f"› {SUM}"
    assert re.fullmatch(FOLDED, folded)
    assert "145" in answer
    assert "─".encode() in screen.raw


def test_ctrl_c_leaves_a_conversation_that_works(screen: Screen) -> None:
    screen.type("What is 123 + 456 + 789 + 321 + 654 + 987?\r")
    screen.wait_for("thinking")
    screen.type("\x03")
    screen.wait_until(lambda: screen.text.endswith("\n›"), "the next prompt")
    screen.type(f"{SUM}\r")
    screen.wait_until(lambda: screen.text.endswith("145.\n\n›"), "the prompt after the answer")
    screen.type("\x04")
    assert screen.finish() == 0


def test_what_the_library_refuses_is_named_as_the_flag() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        run("ask", SUM, "--kv-bits", "3")
    assert failed.value.returncode == 2
    assert failed.value.stderr.startswith("Error: --kv-bits is 3\n")
