"""Conversations with a scripted model: what counts, what is taken back, what the model reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Thread
from typing import Any

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import ContextOverflowError, NonFiniteError, UsageError
from qwen3_mlx.events import (
    AnswerDelta,
    Done,
    Event,
    Reply,
    ThinkingDelta,
    ThinkingStopped,
    ToolCall,
)
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.text.pieces import split
from qwen3_mlx.text.tokenizer import Tokenizer

Begin = Callable[..., Conversation]
Make = Callable[..., Any]


def told(events: Iterable[Event]) -> tuple[str, str]:
    events = list(events)
    thinking = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    return thinking, "".join(event.text for event in events if isinstance(event, AnswerDelta))


def prompt_of(script: Any, tokenizer: Tokenizer) -> str:
    """The prompt of the last turn, as the model read it."""
    return tokenizer.decode(script.read).rpartition("<|im_start|>assistant\n")[0]


@pytest.fixture(autouse=True)
def _words(script: Any) -> None:
    script.tell("2 + 3 = 5", "It is five.")


def test_a_turn_thinks_answers_and_is_kept(chat: Begin) -> None:
    conversation = chat()
    *events, done = conversation.stream("What is 2 + 3?")
    assert told(events) == ("2 + 3 = 5", "It is five.")
    assert isinstance(done, Done)
    reply = done.reply
    assert (reply.thinking, reply.answer) == ("2 + 3 = 5", "It is five.")
    assert (reply.stop_thinking, reply.finish_reason) == ("natural", "stop")
    assert conversation.messages == [
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "It is five.", "reasoning_content": "2 + 3 = 5"},
    ]


def test_history_has_no_old_thoughts(chat: Begin, script: Any, tokenizer: Tokenizer) -> None:
    conversation = chat()
    conversation.send("What is 2 + 3?")
    conversation.send("Sure?")
    assert prompt_of(script, tokenizer) == (
        "<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n"
        "<|im_start|>assistant\nIt is five.<|im_end|>\n"
        "<|im_start|>user\nSure?<|im_end|>\n"
    )


def test_a_longer_prompt_is_read_from_where_it_differs(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    conversation = chat(thinking=False)
    conversation.send("What is 2 + 3?")
    script.prefilled.clear()
    usage = conversation.send("Sure?").usage
    shared = tokenizer.decode(script.read[: usage.cached_tokens])
    # The empty block of the reply under way is not in the history, so they part there.
    assert shared == "<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\n"
    assert script.prefilled[0] == usage.prompt_tokens - usage.cached_tokens


def test_the_system_prompt_stays_when_the_rest_is_cleared(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    conversation = chat(system="Be brief.")
    conversation.send("Hi")
    conversation.clear()
    assert conversation.messages == [{"role": "system", "content": "Be brief."}]
    assert conversation.context_used == 0
    conversation.send("Hello")
    assert prompt_of(script, tokenizer) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHello<|im_end|>\n"
    )


def test_stopped_in_its_thoughts_a_turn_is_taken_back(chat: Begin) -> None:
    conversation = chat()
    events = []
    for event in conversation.stream("What is 2 + 3? /no_thinking"):
        events.append(event)
        if isinstance(event, ThinkingDelta) and event.used == 3:
            conversation.stop()
    *_, stopped, done = events
    assert isinstance(stopped, ThinkingStopped)
    assert isinstance(done, Done)
    assert (stopped.reason, stopped.thinking_tokens) == ("user", 3)
    assert (done.reply.stop_thinking, done.reply.finish_reason) == ("user", "user")
    assert conversation.messages == []


def test_stopped_in_its_answer_a_turn_is_kept_as_far_as_it_came(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    conversation = chat()
    for event in conversation.stream("What is 2 + 3?"):
        if isinstance(event, AnswerDelta) and "is" in event.text:
            conversation.stop()
    answer = conversation.messages[-1]
    assert answer["interrupted"] is True
    assert answer["content"] == "It is"
    conversation.send("Go on")
    assert "assistant\nIt is<|im_end|>\n<|im_start|>user\nGo on" in prompt_of(script, tokenizer)


def test_a_taken_back_turn_takes_its_switch_along(chat: Begin) -> None:
    conversation = chat()
    conversation.on_prefill = lambda done, total: conversation.stop()
    assert conversation.send("Hi /no_think").finish_reason == "user"
    conversation.on_prefill = None
    assert conversation.send("Hi").thinking


@pytest.mark.parametrize("how", ["close", "interrupt", "error in the reader"])
def test_leaving_the_events_is_a_stop(chat: Begin, how: str) -> None:
    conversation = chat()
    stream = conversation.stream("What is 2 + 3?")
    for event in stream:
        if isinstance(event, AnswerDelta):
            break
    if how == "close":
        stream.close()
    elif how == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            stream.throw(KeyboardInterrupt())
    else:
        with pytest.raises(RuntimeError):
            stream.throw(RuntimeError())
    kept = [message["role"] for message in conversation.messages]
    assert kept == ([] if how == "error in the reader" else ["user", "assistant"])


def test_ctrl_c_inside_the_model_is_a_stop(
    chat: Begin, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat()
    stream = conversation.stream("What is 2 + 3?")
    next(event for event in stream if isinstance(event, AnswerDelta) and "is" in event.text)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(type(script), "advance", interrupt)
    with pytest.raises(KeyboardInterrupt):
        next(stream)
    monkeypatch.undo()
    assert conversation.messages[-1]["content"] == "It is"
    assert conversation.messages[-1]["interrupted"] is True
    assert conversation.send("Again").answer == "It is five."


def test_a_failed_turn_is_taken_back(
    chat: Begin, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    conversation = chat()
    conversation.send("Hi")
    before = list(conversation.messages)
    nan = float("nan")
    next_logits = type(script).last_logits
    monkeypatch.setattr(
        type(script), "last_logits", lambda self, ids, cache: next_logits(self, ids, cache) * nan
    )
    with pytest.raises(NonFiniteError):
        conversation.send("Hi again")
    assert conversation.messages == before
    monkeypatch.undo()
    assert conversation.send("Once more").answer == "It is five."


def test_a_prompt_longer_than_the_context_is_refused_with_the_numbers(chat: Begin) -> None:
    conversation = chat()
    with pytest.raises(ContextOverflowError, match=r"has \d{4} tokens .* context 2048") as error:
        conversation.send("apples " * 3000)
    assert error.value.exit_code == 2
    assert conversation.messages == []


def test_a_prompt_may_fill_the_context_but_for_one_token(
    script: Any, make_engine: Make, tokenizer: Tokenizer
) -> None:
    prompt = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n"
    length = len(tokenizer.encode_pieces(split(prompt, tokenizer.controls)))

    def ask(context_length: int) -> Reply:
        engine = make_engine(script, context_length=context_length)
        return Conversation(engine, budget=ThinkingBudget(64)).send("Hi")

    reply = ask(length + 1)
    assert (reply.usage.prompt_tokens, reply.usage.answer_tokens) == (length, 1)
    assert (reply.finish_reason, reply.stop_thinking) == ("length", "length")
    with pytest.raises(ContextOverflowError, match=f"has {length} tokens .* context {length}"):
        ask(length)


def test_the_room_to_think_is_what_context_and_reply_leave(script: Any, make_engine: Make) -> None:
    def room(context_length: int, max_tokens: int | None = None) -> int:
        engine = make_engine(script, context_length=context_length)
        budget = ThinkingBudget(None)
        return Conversation(engine, budget=budget, max_tokens=max_tokens).thinking_room

    instruction = len(make_engine(script).writer().stop_instruction)
    assert room(2048) == 2048 - 2 - instruction - 32
    assert room(2048, max_tokens=500) == 500 - instruction - 32
    assert room(30) == 0


def test_a_conversation_may_move_between_threads(chat: Begin) -> None:
    conversation = chat()
    answers: list[str] = []
    thread = Thread(target=lambda: answers.append(conversation.send("Hi").answer))
    thread.start()
    thread.join()
    answers.append(conversation.send("Hi").answer)
    assert answers == ["It is five."] * 2


def test_a_stop_while_the_prompt_is_read_takes_the_turn_back(chat: Begin) -> None:
    conversation = chat()
    conversation.on_prefill = lambda done, total: conversation.stop()
    *_, done = conversation.stream("apples " * 900)
    assert isinstance(done, Done)
    assert (done.reply.finish_reason, done.reply.usage.answer_tokens) == ("user", 0)
    assert conversation.messages == []
    assert conversation.context_used == 512


def test_a_new_turn_ends_the_one_under_way(chat: Begin) -> None:
    conversation = chat()
    first = conversation.stream("First")
    next(event for event in first if isinstance(event, AnswerDelta))
    assert conversation.send("Second").answer == "It is five."
    assert [
        message["content"] for message in conversation.messages if message["role"] == "user"
    ] == [
        "First",
        "Second",
    ]
    assert list(first) == []


def test_a_turn_inside_a_turn_is_refused(chat: Begin) -> None:
    conversation = chat()

    def speak_too(done: int, total: int) -> None:
        conversation.stream("me too")

    conversation.on_prefill = speak_too
    with pytest.raises(UsageError, match="still being made"):
        conversation.send("Hi")


def test_tool_calls_are_told_and_kept(chat: Begin, script: Any, tokenizer: Tokenizer) -> None:
    script.tell(
        "I need it", '<tool_call>\n{"name": "now", "arguments": {"zone": "é"}}\n</tool_call>'
    )
    conversation = chat()
    events = list(conversation.stream("What time is it?"))
    assert ToolCall("now", {"zone": "é"}) in events
    done = events[-1]
    assert isinstance(done, Done)
    assert done.reply.finish_reason == "tool_calls"
    assert conversation.messages[-1]["tool_calls"] == [
        {"type": "function", "function": {"name": "now", "arguments": {"zone": "é"}}}
    ]


def test_a_prompt_as_the_real_one_would_be(chat: Begin, script: Any, tokenizer: Tokenizer) -> None:
    # What a person types is text: the model reads its characters, not control tokens.
    chat().send("<|im_end|> and </think>")
    assert script.read.count(tokenizer.control.im_end) == 2
    assert script.read.count(tokenizer.control.end_think) == 1


def test_every_moment_is_taken_from_the_clock(chat: Begin) -> None:
    timing = chat().send("Hi").timing
    # The clock of these engines advances by one at every look.
    assert timing.prefill_seconds == 1
    assert timing.first_token_seconds == 3
    assert timing.decode_seconds > 3
    assert timing.decode_tokens_per_second > 0
    assert timing.peak_memory_bytes >= 0


@pytest.mark.parametrize(("name", "value"), [("max_tokens", 0), ("sampling", {"top_p": 2.0})])
def test_values_out_of_range_are_refused_at_once(chat: Begin, name: str, value: object) -> None:
    with pytest.raises(UsageError, match=name if name == "max_tokens" else "top_p"):
        chat(**{name: value})
