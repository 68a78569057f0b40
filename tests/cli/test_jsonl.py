"""`ask --jsonl`: each event a line of JSON, when it happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from qwen3_mlx.cli.jsonl import NAMES
from qwen3_mlx.errors import NonFiniteError
from qwen3_mlx.events import Event, ToolCall
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, Hold, Step, answers, stops, thinks
from tests.cli.screen import REPOSITORY


def lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def started(turn: list[Step]) -> subprocess.Popen[bytes]:
    code = f"from tests.cli.fakes import *\nrun({[turn]!r})"
    return subprocess.Popen(
        [sys.executable, "-c", code, "ask", "2 + 3?", "--jsonl"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_every_event_has_a_name() -> None:
    assert set(NAMES) == set(get_args(Event))


def test_each_event_is_a_line(invoke: Invoke, llm: FakeLLM) -> None:
    call = ToolCall("add", {"a": 2, "b": [3]})
    llm.enqueue(thinks("2 + 3", "\n"), stops("budget", 2), answers("5", "\n."), [call])
    result = invoke("ask", "2 + 3?", "--jsonl")
    *events, done = lines(result.stdout)
    assert events == [
        {"event": "thinking", "text": "2 + 3", "used": 1, "budget": 512},
        {"event": "thinking", "text": "\n", "used": 2, "budget": 512},
        {
            "event": "thinking_stopped",
            "reason": "budget",
            "thinking_tokens": 2,
            "seconds": 3.2,
            "why": "",
        },
        {"event": "answer", "text": "5"},
        {"event": "answer", "text": "\n."},
        {"event": "tool_call", "name": "add", "arguments": {"a": 2, "b": [3]}},
    ]
    assert (done["event"], done["answer"], done["model"]) == ("done", "5\n.", "tiny")
    assert result.stderr == ""


def test_the_last_line_is_what_json_prints(invoke: Invoke, llm: FakeLLM) -> None:
    for _ in range(2):
        llm.enqueue(thinks("2 + 3", budget=None), stops(), answers("5"))
    *_, done = lines(invoke("ask", "2 + 3?", "--jsonl").stdout)
    whole = json.loads(invoke("ask", "2 + 3?", "--json").stdout)
    assert done == {"event": "done", **whole}


def test_every_character_arrives_and_none_harms_a_screen(invoke: Invoke, llm: FakeLLM) -> None:
    hostile = "\x1b[31mred\r\x9b2J\x85\u202e\x7f 👩‍👧"
    llm.enqueue(answers(hostile))
    stdout = invoke("ask", "Paint", "--jsonl").stdout
    assert lines(stdout)[0]["text"] == hostile
    assert not set("\x1b\x9b\x85\u202e\x7f\r") & set(stdout)


def test_a_turn_that_fails_has_no_last_line(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("5"), [NonFiniteError("the logits are not finite")])
    result = invoke("ask", "2 + 3?", "--jsonl")
    assert lines(result.stdout) == [{"event": "answer", "text": "5"}]
    assert (result.exit_code, result.stderr) == (5, "Error: the logits are not finite\n")


def test_one_form_at_a_time(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("ask", "2 + 3?", "--json", "--jsonl")
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("Error: --json and --jsonl contradict each other\n")
    assert llm.loaded == {}


def test_a_line_is_there_before_the_next_event(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    with started([*thinks("2 + 3"), Hold(str(go_on)), *stops(), *answers("5")]) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["text"] == "2 + 3"
        go_on.touch()
        assert len(process.stdout.read().splitlines()) == 3
    assert process.returncode == 0


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    go_on = tmp_path / "go on"
    with started([*thinks("2 + 3"), Hold(str(go_on)), *stops(), *answers("5")]) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.read(1)
        process.stdout.close()
        go_on.touch()
        assert process.stderr.read() == b""
    assert process.returncode == 1


@pytest.mark.parametrize("stop", [thinks("2 + 3"), answers("5")])
def test_ctrl_c_leaves_with_130_and_whole_lines(stop: list[Step]) -> None:
    with started([*stop, Hold()]) as process:
        assert process.stdout
        assert process.stderr
        json.loads(process.stdout.readline())
        process.send_signal(2)
        assert process.stdout.read() == b""
        assert b"Traceback" not in process.stderr.read()
    assert process.returncode == 130
