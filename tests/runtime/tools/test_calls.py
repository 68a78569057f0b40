"""What becomes of calls in a turn: wrong ones, broken ones, and those that are not allowed."""

from __future__ import annotations

from threading import Event as Flag

import pytest

from qwen3_mlx.events import (
    AnswerDelta,
    ToolCall,
)
from qwen3_mlx.text.tokenizer import Tokenizer
from qwen3_mlx.tools import Tool
from qwen3_mlx.tools.run import NOT_ALLOWED
from tests.runtime.tools.chains import (
    ADD,
    BROKEN,
    Begin,
    ChainScript,
    call,
    reply_of,
    results,
    times,
)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (call("sub", a=1), "error: there is no tool sub; there are: add, fail"),
        (call("add", a=1), "error: the parameter b is missing"),
        (call("add", a=1, b="x"), 'error: the parameter b must be a whole number, not "x"'),
    ],
)
def test_a_wrong_call_is_told_to_the_model(
    chat: Begin, script: ChainScript, asked: str, error: str
) -> None:
    script.tell_steps((None, asked), (None, "Sorry."))
    events = list(chat().stream("Go"))
    assert results(events) == [error]
    assert reply_of(events).answer == "Sorry."


def test_a_tool_that_hangs_does_not_hang_the_turn(chat: Begin, script: ChainScript) -> None:
    never = Flag()
    slow = Tool("slow", "", {"type": "object"}, lambda _: str(never.wait()), seconds=0.01)
    script.tell_steps((None, call("slow")), (None, "Too slow."))
    events = list(chat(tools=[slow]).stream("Go"))
    never.set()
    assert results(events) == ["error: slow took longer than 0.01 seconds"]
    assert reply_of(events).answer == "Too slow."


@pytest.mark.parametrize("letter", ["x", "漢", "\N{SLIGHTLY SMILING FACE}"])
def test_a_result_takes_at_most_half_of_the_context_that_is_left(
    chat: Begin, script: ChainScript, tokenizer: Tokenizer, letter: str
) -> None:
    long = Tool("long", "", {"type": "object"}, lambda _: letter * 100_000)
    script.tell_steps((None, call("long")), (None, "Read."))
    reply = chat(tools=[long]).send("Go")
    text = reply.steps[0].results[0].text
    kept = text.partition("\n")[0]
    size, tokens = len(kept), len(tokenizer.encode(kept))
    used = reply.steps[0].usage.prompt_tokens + reply.steps[0].usage.answer_tokens + len("<end>")
    assert text.endswith(f"[cut here: the first {size} of 100000 characters]")
    assert abs(tokens - (2048 - used) // 2) <= 3
    assert reply.answer == "Read."


def test_calls_have_to_be_approved(chat: Begin, script: ChainScript) -> None:
    script.tell_steps((None, f"{ADD}\n{call('fail')}"), (None, "Done."))
    asked: list[ToolCall] = []

    def approve(call: ToolCall) -> bool:
        asked.append(call)
        return call.name == "fail"

    events = list(chat(approve=approve).stream("Go"))
    assert [call.name for call in asked] == ["add", "fail"]
    assert results(events) == [NOT_ALLOWED, "error: no luck today"]


def test_a_broken_call_goes_back_to_the_model_and_is_not_shown(
    chat: Begin, script: ChainScript, tokenizer: Tokenizer
) -> None:
    script.tell_steps((None, f"Well.\n{BROKEN}"), (None, ADD), (None, "It is five."))
    conversation = chat()
    events = list(conversation.stream("Go"))
    refused, added = results(events)
    assert refused.startswith("error: the call could not be read: it is not valid JSON: Expecting")
    assert added == "5"
    assert "tool_call" not in "".join(e.text for e in events if isinstance(e, AnswerDelta))
    assert conversation.messages[1]["content"] == f"Well.\n{BROKEN}"
    assert "tool_calls" not in conversation.messages[1]
    # What the model wrote wrongly stands in its history as text, not as a call.
    assert times(script, tokenizer, "<tool_call>") == 1 + IN_SYSTEM_PROMPT


IN_SYSTEM_PROMPT = 2
"""The explanation of the format has two opening tags."""


def test_after_two_broken_calls_the_text_is_the_answer(chat: Begin, script: ChainScript) -> None:
    script.tell_steps((None, BROKEN))
    events = list(chat().stream("Go"))
    reply = reply_of(events)
    assert len(results(events)) == 2
    assert reply.answer == BROKEN
    assert reply.finish_reason == "stop"


@pytest.mark.parametrize(
    "asked",
    [
        '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}\n</tool_call>',
        '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b": 3}}',
        "<tool_call>\n{'name': 'add', 'arguments': {'a': '2', 'b': 3,}}\n</tool_call>",
        "<tool_call>\n<function=add>\n<parameter=a>\n2\n</parameter>\n<parameter=b>\n3\n"
        "</parameter>\n</function>\n</tool_call>",
    ],
)
def test_other_ways_to_write_a_call(chat: Begin, script: ChainScript, asked: str) -> None:
    script.tell_steps((None, asked), (None, "It is five."))
    events = list(chat().stream("Go"))
    assert results(events) == ["5"]


def test_a_call_that_max_tokens_cuts_off_is_not_made(chat: Begin, script: ChainScript) -> None:
    script.tell_steps((None, '<tool_call>\n{"name": "fail"\n' + "x" * 200))
    conversation = chat(max_tokens=12, thinking=False)
    reply = reply_of(list(conversation.stream("Go")))
    assert (reply.finish_reason, reply.steps, reply.tool_calls) == ("length", (), ())
    assert conversation.messages[-1]["content"] == ""


def test_without_tools_a_call_is_handed_on_as_before(chat: Begin, script: ChainScript) -> None:
    conversation = chat(tools=[])
    reply = conversation.send("What is 2 + 3?")
    assert (reply.tool_calls, reply.steps) == ((ToolCall("add", {"a": 2, "b": 3}),), ())
    assert len(conversation.messages) == 2
