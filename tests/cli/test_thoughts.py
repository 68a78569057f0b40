"""`--thoughts`: what is shown and kept of them, and the sentence in their place."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen3_mlx.cli.choices import Show
from qwen3_mlx.errors import NonFiniteError
from qwen3_mlx.events import Reply
from tests.cli.conftest import Invoke, Start
from tests.cli.fakes import FakeLLM, Hold, answers, stops, thinks

MARK = "zqx"
FOLDED = "[thought for 3.2 s · 118 of 512 tokens · stopped by itself]\n"
FIGURES = "[7 tokens · 43 tok/s · first token after 0.25 s]\n"
SUMMARY = "[summary: It added the two.]\n"


def enqueue(llm: FakeLLM) -> None:
    llm.enqueue(thinks(f"{MARK}\n", f"{MARK} = 5"), stops(), answers("5"))


@pytest.mark.parametrize(("show", "more"), [("hidden", ""), ("summary", SUMMARY)])
def test_private_thoughts_are_counted_alone(
    invoke: Invoke, llm: FakeLLM, show: str, more: str
) -> None:
    enqueue(llm)
    result = invoke("ask", "2 + 3?", "--thoughts", show)
    assert (result.stdout, result.stderr) == ("5\n", f"{FOLDED}{FIGURES}{more}")
    assert llm.conversation.private


@pytest.mark.parametrize(
    ("show", "fields"),
    [
        ("full", {"thinking": f"{MARK}\n{MARK} = 5"}),
        ("hidden", {"thinking": ""}),
        ("summary", {"thinking": "", "summary": "It added the two."}),
    ],
)
def test_what_scripts_get(invoke: Invoke, llm: FakeLLM, show: str, fields: dict[str, str]) -> None:
    enqueue(llm)
    enqueue(llm)
    whole = json.loads(invoke("ask", "2 + 3?", "--thoughts", show, "--json").stdout)
    assert {name: whole.get(name) for name in ("thinking", *fields)} == fields
    assert ("summary" in whole) is (show == "summary")
    lines = invoke("ask", "2 + 3?", "--thoughts", show, "--jsonl").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert events[-1] == {"event": "done", **whole}
    texts = [event["text"] for event in events if event["event"] == "thinking"]
    assert ("".join(texts), len(texts)) == (fields["thinking"], 2)


def test_thoughts_in_a_file_are_not_private(invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
    path = tmp_path / "thoughts.txt"
    path.write_text("of before")
    result = invoke("ask", "2 + 3?", "--thoughts", "hidden", "--thinking-to", str(path))
    assert (result.exit_code, path.read_text()) == (2, "of before")
    assert result.stderr == (
        "Error: --thinking-to writes down the thoughts that --thoughts hidden keeps private\n"
        "Leave one of the two out.\n"
    )


def test_the_model_is_asked_with_what_it_thought(invoke: Invoke, llm: FakeLLM) -> None:
    enqueue(llm)
    invoke("chat", "--thoughts", "summary", stdin="2 + 3?\n")
    [(question, reply)] = llm.explained
    assert (question, reply.thinking) == ("2 + 3?", f"{MARK}\n{MARK} = 5")


def test_a_summary_is_kept_beside_the_answer(invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
    enqueue(llm)
    lines = f"2 + 3?\n/save {tmp_path}/a.json\n/export {tmp_path}/a.md\n/load {tmp_path}/a.json\n"
    result = invoke("chat", "--thoughts", "summary", stdin=lines)
    assert result.stderr.startswith(f"{FOLDED}{SUMMARY}[saved: ")
    assert json.loads((tmp_path / "a.json").read_text())["messages"][1] == {
        "role": "assistant",
        "content": "5",
        "reasoning_content": "",
        "summary": "It added the two.",
    }
    assert (tmp_path / "a.md").read_text() == (
        "## You\n\n2 + 3?\n\n## Qwen3\n\n5\n\n*How it came to this: It added the two.*\n"
    )
    assert llm.conversation.messages[1]["summary"] == "It added the two."


def test_nothing_thought_nothing_summed_up(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue(answers("5"))
    result = invoke("ask", "2 + 3?", "--thoughts", "summary", "--json")
    assert json.loads(result.stdout)["summary"] == ""
    assert llm.explained == []
    assert "summary" not in result.stderr


def test_a_summary_that_fails_leaves_the_turn(invoke: Invoke, llm: FakeLLM) -> None:
    llm.sentence = NonFiniteError("the logits are not finite")
    enqueue(llm)
    enqueue(llm)
    result = invoke("chat", "--thoughts", "summary", stdin="2 + 3?\n")
    assert (result.stdout, result.exit_code) == ("5\n", 0)
    assert result.stderr == f"{FOLDED}Error: the logits are not finite\n"
    assert len(llm.conversation.messages) == 2
    assert json.loads(invoke("ask", "?", "--thoughts", "summary", "--json").stdout)["answer"] == "5"


def test_ctrl_c_gives_the_summary_up_and_no_more(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_question: str, _reply: Reply, *, stopped: Callable[[], bool]) -> str:
        signal.raise_signal(signal.SIGINT)
        while not stopped():  # a thread says so
            time.sleep(0.001)
        return ""

    monkeypatch.setattr(llm, "explain", interrupted)
    enqueue(llm)
    llm.enqueue(answers("6"))
    result = invoke("chat", "--thoughts", "summary", stdin="2 + 3?\n3 + 3?\n")
    assert (result.stdout, result.stderr, result.exit_code) == ("5\n6\n", FOLDED, 0)
    assert "summary" not in llm.conversation.messages[1]


def test_the_way_is_changed_in_the_chat(invoke: Invoke, llm: FakeLLM) -> None:
    enqueue(llm)
    enqueue(llm)
    lines = "2 + 3?\n/thoughts last\n/thoughts summary\n/thoughts last\n2 + 3?\n/thoughts window\n"
    result = invoke("chat", stdin=f"{lines}/thoughts last\n/thoughts loud\n")
    shown = f"[thinking 1/512] {MARK}\n[thinking 2/512] {MARK} = 5\n{FOLDED}"
    assert result.stderr == (
        f"{shown}[{MARK}\n{MARK} = 5]\n[thoughts: summary]\n"
        "[thoughts: summary; /thoughts window shows those to come]\n"
        f"{FOLDED}{SUMMARY}[thoughts: window]\n[no thoughts yet]\n"
        "Error: 'loud' is no way to show thoughts\n"
        "Give window, full, hidden or summary, or last to read the last ones again.\n"
    )


@pytest.mark.parametrize("show", [show for show in Show if show.private])
def test_no_byte_of_them_reaches_the_terminal_or_the_disk(
    start: Start, tmp_path: Path, show: Show
) -> None:
    turn = [*thinks(f"{MARK}\n", MARK, start=116), Hold(), *stops(), *answers("5")]
    screen = start(turn, args=("chat", "--thoughts", show))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("117/512")
    screen.type(" ")
    screen.wait_for("summary: It added the two.\n\n›" if show is Show.SUMMARY else "5\n\n›")
    screen.type("\x0f")  # Ctrl-O
    screen.wait_for(f"thoughts: {show}; /thoughts window shows those to come\n›")
    screen.type("\x04")
    assert screen.finish() == 0
    assert MARK.encode() not in screen.raw
    kept = [path.read_text() for path in (tmp_path / "state").rglob("*.json*")]
    assert len(kept) == 2
    assert MARK not in "".join(kept)
    resumed = start(args=("chat", "--resume", "--thoughts", "full"))
    resumed.wait_for("1 turn of a conversation with tiny")
