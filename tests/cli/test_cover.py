"""`--redact`: what matches is seen nowhere, wherever the texts come from and go to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from qwen3_mlx.cli.cover import Cover, covered_messages, without_thoughts
from qwen3_mlx.cli.history import TypedLines
from qwen3_mlx.cli.redact import Redaction
from qwen3_mlx.errors import ModelFileError, NonFiniteError, UsageError
from qwen3_mlx.events import (
    AnswerDelta,
    Done,
    Event,
    Reply,
    Step,
    StepDone,
    ThinkingDelta,
    ThinkingStopped,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
)
from qwen3_mlx.text.pieces import Message
from tests.cli.conftest import Invoke, Start
from tests.cli.fakes import FakeLLM, answers, stops, thinks

KEY = Redaction([r"key-\d+"])
ARGS = ("--redact", r"key-\d+")
STOPPED = ThinkingStopped("natural", 3, 0.5)
REPLY = Reply(
    "is key-2",
    "it key-1",
    (ToolCall("look", {"at": ["key-3"]}),),
    "natural",
    "stop",
    Usage(),
    Timing(),
)


def passed(cover: Cover, *events: Event) -> list[Event]:
    return list(cover.events(events))


def test_what_is_held_back_comes_before_the_next_event() -> None:
    cover = Cover(KEY, private=False)
    events = (ThinkingDelta("it ke", 1, 9), ThinkingDelta("y-1", 2, 9), STOPPED)
    assert passed(cover, *events, AnswerDelta("is key"), AnswerDelta("-2"), Done(REPLY)) == [
        ThinkingDelta("it ", 1, 9),
        ThinkingDelta("", 2, 9),
        ThinkingDelta("[redacted]", 2, 9),
        STOPPED,
        AnswerDelta("is "),
        AnswerDelta("[redacted]"),
        Done(
            replace(
                REPLY,
                answer="is [redacted]",
                thinking="it [redacted]",
                tool_calls=(ToolCall("look", {"at": ["[redacted]"]}),),
            )
        ),
    ]
    assert cover.reply is REPLY


def test_private_thoughts_keep_their_count() -> None:
    cover = Cover(Redaction(), private=True)
    assert passed(cover, ThinkingDelta("it", 1, 9), STOPPED) == [ThinkingDelta("", 1, 9), STOPPED]
    [done] = passed(cover, Done(REPLY))
    assert isinstance(done, Done)
    assert (done.reply.thinking, done.reply.answer) == ("", "is key-2")


def test_every_step_of_a_chain_is_covered() -> None:
    call, result = ToolCall("look", {"at": "key-1"}), ToolResult("look", "is key-2", False, 0.5)
    step = Step("it key-3", "so key-4", (call,), (result,), "natural", Usage(), Timing())
    seen = replace(
        step,
        thinking="it [redacted]",
        answer="so [redacted]",
        tool_calls=(ToolCall("look", {"at": "[redacted]"}),),
        results=(ToolResult("look", "is [redacted]", False, 0.5),),
    )
    [told, done] = passed(
        Cover(KEY, private=False), StepDone(step), Done(replace(REPLY, steps=(step,)))
    )
    assert told == StepDone(seen)
    assert isinstance(done, Done)
    assert done.reply.steps == (seen,)
    assert without_thoughts(replace(REPLY, steps=(step,))) == replace(
        REPLY, thinking="", steps=(replace(step, thinking=""),)
    )


def test_a_call_is_shown_after_what_was_said_before_it() -> None:
    call = ToolCall("look", {"key-1": "key-1"})
    assert passed(Cover(KEY, private=False), AnswerDelta("a key"), call) == [
        AnswerDelta("a "),
        AnswerDelta("key"),
        ToolCall("look", {"key-1": "[redacted]"}),
    ]


def test_an_error_comes_after_what_was_held_back() -> None:
    def broken() -> Iterator[Event]:
        yield AnswerDelta("a key-1")
        raise NonFiniteError("the logits are not finite")

    seen: list[Event] = []
    with pytest.raises(NonFiniteError):
        seen += Cover(KEY, private=False).events(broken())
    assert seen == [AnswerDelta("a "), AnswerDelta("[redacted]")]


def test_messages_are_redacted_in_what_they_say() -> None:
    call = {"type": "function", "function": {"name": "key-1", "arguments": {"at": "key-1"}}}
    messages: list[Message] = [
        {"role": "user", "content": "key-1", "thinking": True},
        {"role": "assistant", "content": None, "reasoning_content": "key-1", "tool_calls": [call]},
        {"role": "tool", "content": "it is key-1", "name": "key-1"},
        {"role": "assistant", "content": "key-1", "summary": "by key-1", "interrupted": True},
    ]
    covered = covered_messages(messages, KEY, private=False)
    assert covered == [
        {"role": "user", "content": "[redacted]", "thinking": True},
        {
            "role": "assistant",
            "content": None,
            "reasoning_content": "[redacted]",
            "tool_calls": [
                {
                    "type": "function",
                    "function": {"name": "key-1", "arguments": {"at": "[redacted]"}},
                }
            ],
        },
        {"role": "tool", "content": "it is [redacted]", "name": "key-1"},
        {
            "role": "assistant",
            "content": "[redacted]",
            "summary": "by [redacted]",
            "interrupted": True,
        },
    ]
    assert covered_messages(messages, Redaction(), private=False) == messages
    assert covered_messages(messages, Redaction(), private=True)[1]["reasoning_content"] == ""


def enqueue(llm: FakeLLM) -> None:
    llm.enqueue(thinks("it is ke", "y-", "12\n"), stops(), answers("a ke", "y-1", "2", "3, "))


def test_an_answer_and_its_thoughts_are_redacted(
    invoke: Invoke, llm: FakeLLM, tmp_path: Path
) -> None:
    enqueue(llm)
    file = tmp_path / "thoughts.txt"
    result = invoke("ask", "Which?", *ARGS, "--thinking-to", str(file))
    assert result.stdout == "a [redacted], \n"
    assert "[thinking 3/512] it is [redacted]\n" in result.stderr
    assert "key-1" not in result.stderr
    assert file.read_text() == "it is [redacted]\n"


@pytest.mark.parametrize("form", ["--json", "--jsonl"])
def test_scripts_get_nothing_else(invoke: Invoke, llm: FakeLLM, form: str) -> None:
    enqueue(llm)
    said = invoke("ask", "Which?", *ARGS, form).stdout
    assert "key-1" not in said
    done = json.loads(said if form == "--json" else said.splitlines()[-1])
    assert (done["answer"], done["thinking"]) == ("a [redacted], ", "it is [redacted]\n")


def test_an_error_is_redacted_on_its_way_out(invoke: Invoke, llm: FakeLLM) -> None:
    llm.enqueue([ModelFileError("bad: key-1", hint="Not key-2.")])
    assert invoke("ask", "Which?", *ARGS).stderr == "Error: bad: [redacted]\nNot [redacted].\n"


def test_the_chat_keeps_the_truth_to_itself(invoke: Invoke, llm: FakeLLM, tmp_path: Path) -> None:
    enqueue(llm)
    files = [tmp_path / "a.json", tmp_path / "a.md"]
    lines = ["Is it key-1?", f"/save {files[0]}", f"/export {files[1]}", "/thoughts last", "/undo"]
    llm.sentence = "It looked at key-12."
    result = invoke("chat", *ARGS, "--thoughts", "summary", stdin="\n".join(lines))
    written = [result.stdout, result.stderr, *(file.read_text() for file in files)]
    for text in written:
        assert "key-1" not in text
        assert "[redacted]" in text
    assert "[summary: It looked at [redacted].]\n" in result.stderr
    assert llm.conversation.asked == [("Is it key-1?", "Is it key-1?")]


def test_typed_lines_are_redacted_in_their_file_alone(tmp_path: Path) -> None:
    lines = TypedLines(tmp_path / "history", KEY.text)
    lines.add("Is it key-1?")
    assert lines.entries == ["Is it key-1?"]
    assert TypedLines(tmp_path / "history").entries == ["Is it [redacted]?"]


def test_a_line_that_cannot_be_redacted_is_not_written(tmp_path: Path) -> None:
    def fails(_text: str) -> str:
        raise UsageError("it takes too long")

    lines = TypedLines(tmp_path / "history", fails)
    lines.add("Is it key-1?")
    assert lines.entries == ["Is it key-1?"]
    assert not (tmp_path / "history").exists()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(a", "'(a' is no pattern: missing ) at position 2"), ("a*", "'a*' matches the empty text")],
)
def test_a_bad_pattern_is_refused(invoke: Invoke, llm: FakeLLM, pattern: str, said: str) -> None:
    result = invoke("ask", "Which?", "--redact", pattern)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in " ".join(result.stderr.replace("│", " ").split())


def test_no_byte_of_it_is_on_the_screen(start: Start, tmp_path: Path) -> None:
    turn = [*thinks("it is ke", "y-", "12\n"), *stops(), *answers("**a ke", "y-1", "2**, ")]
    screen = start(turn, args=("chat", *ARGS))
    screen.wait_for("›")
    screen.type("Which?\r")
    screen.wait_for("a [redacted],\n\n›")
    screen.type("/copy\r")
    screen.wait_for("programs in\n\n›")
    screen.type("/thoughts last\r")
    screen.wait_for("it is [redacted]\n\n›")
    screen.type("\x04")
    assert screen.finish() == 0
    assert b"y-1" not in screen.raw
    kept = "".join(path.read_text() for path in (tmp_path / "state").rglob("*.json*"))
    assert "[redacted]" in kept
    assert "key-1" not in kept
