"""Turns with tools that a person stops: what is kept of them."""

from __future__ import annotations

from threading import Event as Flag

import pytest

from qwen3_mlx.events import (
    AnswerDelta,
    StepDone,
    ThinkingDelta,
    ToolCall,
    ToolResult,
)
from qwen3_mlx.text.tokenizer import Tokenizer
from qwen3_mlx.tools import Tool
from qwen3_mlx.tools.chain import Chain
from qwen3_mlx.tools.run import STOPPED
from tests.runtime.tools.chains import (
    ADD,
    Begin,
    ChainScript,
    call,
    prompt_of,
    reply_of,
    results,
)


def test_stopped_in_its_first_thoughts_a_chain_is_taken_back(chat: Begin) -> None:
    conversation = chat()
    for event in conversation.stream("2 + 3?"):
        if isinstance(event, ThinkingDelta):
            conversation.stop()
    assert conversation.messages == []


def test_stopped_in_later_thoughts_it_is_kept_up_to_its_last_result(
    chat: Begin, script: ChainScript, tokenizer: Tokenizer
) -> None:
    conversation = chat()
    stepped = False
    for event in conversation.stream("2 + 3?"):
        stepped = stepped or isinstance(event, StepDone)
        if stepped and isinstance(event, ThinkingDelta):
            conversation.stop()
    assert [message["role"] for message in conversation.messages] == ["user", "assistant", "tool"]
    assert conversation.messages[1]["interrupted"] is True
    conversation.send("Go on")
    assert "</tool_response><|im_end|>\n<|im_start|>user\nGo on<|im_end|>" in prompt_of(
        script, tokenizer
    )


def test_stopped_in_its_answer_it_is_kept_as_far_as_it_came(chat: Begin) -> None:
    conversation = chat()
    for event in conversation.stream("2 + 3?"):
        if isinstance(event, AnswerDelta) and "is" in event.text:
            conversation.stop()
    assert conversation.messages[-1]["content"] == "It is"
    assert [message.get("interrupted") for message in conversation.messages] == [
        *(None, None, None, True)
    ]


@pytest.mark.parametrize("leave", ["stop", "close", "interrupt"])
def test_stopped_between_two_calls_the_first_is_kept(
    chat: Begin, script: ChainScript, leave: str
) -> None:
    script.tell_steps((None, f"{ADD}\n{call('fail')}"), (None, "Done."))
    conversation = chat()
    stream = conversation.stream("Go")
    next(event for event in stream if isinstance(event, ToolResult))
    if leave == "stop":
        conversation.stop()
        assert reply_of(list(stream)).finish_reason == "user"
    elif leave == "close":
        stream.close()
    else:
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt())
    _, asked, answered = conversation.messages
    assert asked["interrupted"] is True
    assert asked["tool_calls"] == [
        {"type": "function", "function": {"name": "add", "arguments": {"a": 2, "b": 3}}}
    ]
    assert answered == {"role": "tool", "content": "5"}


def test_ctrl_c_at_the_question_takes_a_turn_without_results_back(chat: Begin) -> None:
    def approve(call: ToolCall) -> bool:
        raise KeyboardInterrupt

    conversation = chat(approve=approve)
    with pytest.raises(KeyboardInterrupt):
        conversation.send("2 + 3?")
    assert conversation.messages == []
    conversation.approve = None
    assert conversation.send("2 + 3?").answer == "It is five."


def test_a_stop_inside_a_call_does_not_wait_for_it(chat: Begin, script: ChainScript) -> None:
    never = Flag()
    conversation = chat(tools=[])

    def hang(_: object) -> str:
        conversation.stop()
        return str(never.wait())

    conversation.tools = [Tool("slow", "", {"type": "object"}, hang)]
    script.tell_steps((None, call("slow")), (None, "Done."))
    events = list(conversation.stream("Go"))
    never.set()
    assert results(events) == [STOPPED]
    assert reply_of(events).finish_reason == "user"
    assert conversation.messages[-1] == {"role": "tool", "content": STOPPED}


@pytest.mark.parametrize(("name", "kept"), [("_asks", 0), ("_run", 0), ("_conclude", 3)])
def test_ctrl_c_around_the_calls_keeps_what_came_to_a_result(
    chat: Begin, monkeypatch: pytest.MonkeyPatch, name: str, kept: int
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    conversation = chat()
    monkeypatch.setattr(Chain, name, interrupt)
    with pytest.raises(KeyboardInterrupt):
        conversation.send("2 + 3?")
    monkeypatch.undo()
    assert len(conversation.messages) == kept
    assert all(message["interrupted"] for message in conversation.messages[1:2])
    assert conversation.send("2 + 3?").answer == "It is five."
