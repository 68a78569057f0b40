"""Conversations with a scripted model: when it thinks, how far, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Done, ThinkingDelta
from qwen3_mlx.generation.defaults import Defaults
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.sampling import Sampler, SamplingOptions
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.text.qwen3_format import HYBRID, INSTRUCT_2507, THINKING_2507
from qwen3_mlx.text.renderer import Renderer
from qwen3_mlx.text.tokenizer import Tokenizer

Begin = Callable[..., Conversation]


@pytest.fixture(autouse=True)
def _words(script: Any) -> None:
    script.tell("2 + 3 = 5", "It is five.")


def test_the_budget_ends_the_thoughts(chat: Begin, tokenizer: Tokenizer) -> None:
    conversation = chat(budget=4)
    reply = conversation.send("What is 2 + 3?")
    whole = tokenizer.encode("\n2 + 3 = 5\n")
    assert reply.thinking == tokenizer.decode(whole[:4]).strip("\n")
    assert reply.answer == "It is five."
    assert (reply.stop_thinking, reply.usage.thinking_tokens) == ("budget", 4)
    assert reply.usage.answer_tokens == len(tokenizer.encode("It is five."))


@pytest.mark.parametrize(("beyond", "reason"), [(-1, "budget"), (0, "budget"), (1, "natural")])
def test_a_block_that_would_close_right_after_the_budget_is_closed_by_it(
    chat: Begin, script: Any, tokenizer: Tokenizer, beyond: int, reason: str
) -> None:
    # At exactly B the closing tag is what the model would say next, and it is not asked.
    length = len(tokenizer.encode("\n2 + 3 = 5\n"))
    reply = chat(budget=length + beyond).send("What is 2 + 3?")
    assert (reply.stop_thinking, reply.answer) == (reason, "It is five.")
    assert reply.usage.thinking_tokens == length + min(beyond, 0)
    assert (reply.usage.injected_tokens > 0) == (reason == "budget")
    assert tokenizer.decode(script.read).count("</think>") == 1


def test_an_end_inside_the_block_is_followed_by_the_instruction_and_an_answer(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    script.tell("2 + 3<|im_end|>", "It is five.")
    reply = chat().send("What is 2 + 3?")
    assert (reply.thinking, reply.answer) == ("2 + 3", "It is five.")
    assert (reply.stop_thinking, reply.finish_reason) == ("natural", "stop")
    assert "2 + 3\n\nConsidering the limited time" in tokenizer.decode(script.read)


@pytest.mark.parametrize("form", [HYBRID, THINKING_2507])
def test_a_budget_stopped_while_the_prompt_is_read_leaves_no_thoughts(
    chat: Begin, form: Renderer
) -> None:
    conversation = chat(budget=None, form=form)
    conversation.on_prefill = lambda done, total: conversation.budget.stop()
    reply = conversation.send("What is 2 + 3?")
    assert (reply.thinking, reply.answer) == ("", "It is five.")
    assert (reply.stop_thinking, reply.usage.thinking_tokens) == ("user", 0)
    assert reply.usage.injected_tokens > 0


def test_the_counts_add_up_to_what_the_model_read(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    conversation = chat(budget=4)
    usage = conversation.send("What is 2 + 3?").usage
    generated = usage.thinking_tokens + usage.injected_tokens + usage.answer_tokens
    opening_tag, end = 1, 1
    assert conversation.context_used == usage.prompt_tokens + generated + opening_tag + end
    text = tokenizer.decode(script.read)
    assert text.count("Considering the limited time by the user") == 1
    assert "directly now.\n</think>\n\nIt is five.<|im_end|>" in text


@pytest.mark.parametrize(("budget", "thinking"), [(0, True), (64, False), (None, False)])
def test_no_budget_and_no_thinking_are_the_empty_block(
    chat: Begin, script: Any, tokenizer: Tokenizer, budget: int | None, thinking: bool
) -> None:
    reply = chat(budget, thinking=thinking).send("Hi")
    assert (reply.thinking, reply.answer, reply.stop_thinking) == ("", "It is five.", "off")
    assert "assistant\n<think>\n\n</think>\n\nIt is five." in tokenizer.decode(script.read)


def test_a_model_whose_prompt_opens_the_block(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    conversation = chat(budget=6, form=THINKING_2507)
    reply = conversation.send("Hi")
    opened = tokenizer.decode(script.read).rpartition("assistant\n")[2]
    assert opened.startswith("<think>\n2 + 3")
    assert (reply.stop_thinking, reply.usage.thinking_tokens) == ("budget", 6)


@pytest.mark.parametrize(
    ("wishes", "text"),
    [({"budget": 0}, "Hi"), ({"thinking": False}, "Hi /think"), ({}, "Hi /no_think")],
)
def test_a_block_that_the_prompt_opens_can_be_closed_by_it(
    chat: Begin, script: Any, tokenizer: Tokenizer, wishes: dict[str, Any], text: str
) -> None:
    reply = chat(form=THINKING_2507, **wishes).send(text)
    assert (reply.thinking, reply.answer, reply.stop_thinking) == ("", "It is five.", "off")
    assert "assistant\n<think>\n\n</think>\n\nIt is five." in tokenizer.decode(script.read)


def test_an_instruct_model_never_thinks(chat: Begin, script: Any, tokenizer: Tokenizer) -> None:
    talk = chat(form=INSTRUCT_2507)
    assert talk.thinks is False
    assert talk.thinks_after(True) is False
    assert talk.send("Hi").stop_thinking == "off"
    assert "<think>" not in tokenizer.decode(script.read)


@pytest.mark.parametrize("thinking", [True, False])
def test_a_block_cannot_be_opened_again(
    chat: Begin, script: Any, tokenizer: Tokenizer, thinking: bool
) -> None:
    script.tell("2 + 3 = 5", "It <think> is five.")
    reply = chat(thinking=thinking).send("What is 2 + 3?")
    assert script.read.count(tokenizer.control.think) == 1
    assert reply.answer.endswith(" is five.")
    assert reply.thinking == ("2 + 3 = 5" if thinking else "")


def test_a_model_that_does_not_begin_with_a_block_may_not_later(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    script.tell(None, "It <think> is five.")
    reply = chat().send("What is 2 + 3?")
    assert (reply.stop_thinking, reply.thinking) == ("off", "")
    assert tokenizer.control.think not in script.read


@pytest.mark.parametrize(
    ("form", "text", "mode"),
    [
        (HYBRID, "Hi", "thinking"),
        (HYBRID, "Hi /no_think", "answering"),
        (THINKING_2507, "Hi", "thinking"),
        (THINKING_2507, "Hi /no_think", "answering"),
        (INSTRUCT_2507, "Hi", "answering"),
    ],
)
def test_sampling_goes_by_what_the_reply_may_do(
    script: Any,
    make_engine: Callable[..., Engine],
    monkeypatch: pytest.MonkeyPatch,
    form: Renderer,
    text: str,
    mode: str,
) -> None:
    chosen: list[SamplingOptions] = []

    def make(options: SamplingOptions, *args: Any, **more: Any) -> Sampler:
        chosen.append(options)
        return Sampler(options, *args, **more)

    monkeypatch.setattr("qwen3_mlx.generation.engine.Sampler", make)
    defaults = Defaults()
    engine = make_engine(script, form, defaults=defaults)
    Conversation(engine, budget=ThinkingBudget(64), sampling={"seed": 3}).send(text)
    assert chosen == [replace(getattr(defaults, mode), seed=3)]


@pytest.mark.parametrize(
    ("turns", "thinks"),
    [
        (["Hi /no_think"], [False]),
        (["Hi /no_think", "Again"], [False, False]),
        (["Hi /no_think", "Again /think", "More"], [False, True, True]),
        (["/think Hi /no_think"], [False]),
    ],
)
def test_the_latest_switch_wins_and_stays(
    chat: Begin, turns: list[str], thinks: list[bool]
) -> None:
    conversation = chat()
    replies = [conversation.send(text) for text in turns]
    assert [bool(reply.thinking) for reply in replies] == thinks


def test_a_switch_in_the_system_prompt_holds_until_the_next(chat: Begin) -> None:
    conversation = chat(system="Be brief. /no_think")
    assert not conversation.send("Hi").thinking
    assert conversation.send("Hi /think").thinking
    conversation.clear()
    assert not conversation.send("Hi").thinking


def test_only_what_was_typed_switches(chat: Begin, script: Any, tokenizer: Tokenizer) -> None:
    conversation = chat()
    assert conversation.send("Read this: /no_think", typed="Read this:").thinking
    assert "Read this: /no_think<|im_end|>" in tokenizer.decode(script.read)


def test_thinking_off_is_hard(chat: Begin) -> None:
    conversation = chat(thinking=False)
    assert not conversation.send("Hi /think").thinking
    conversation.thinking = True
    assert conversation.send("Hi").thinking


def test_a_budget_that_conflicts_with_max_tokens_is_refused_with_the_numbers(
    chat: Begin, tokenizer: Tokenizer
) -> None:
    with pytest.raises(UsageError, match=r"max_tokens 90 .* budget of 64: .* it takes \d+"):
        chat(budget=64, max_tokens=90)
    conversation = chat(budget=1, max_tokens=90)
    conversation.budget.set(64)
    with pytest.raises(UsageError, match="max_tokens 90"):
        conversation.send("Hi")
    assert chat(budget=64, max_tokens=90, thinking=False).send("Hi").answer == "It is five."


def test_budget_stop_ends_the_thinking_and_not_the_turn(chat: Begin) -> None:
    conversation = chat(budget=None)
    event = None
    for event in conversation.stream("What is 2 + 3?"):
        if isinstance(event, ThinkingDelta) and event.used == 2:
            conversation.budget.stop()
    assert isinstance(event, Done)
    assert event.reply.answer == "It is five."
    assert (event.reply.stop_thinking, event.reply.usage.thinking_tokens) == ("user", 2)


@pytest.mark.parametrize("reason", ["budget", "user"])
def test_the_budget_can_be_turned_from_another_thread(chat: Begin, reason: str) -> None:
    conversation = chat(budget=None)
    turned, thinking = Flag(), Flag()

    def turn() -> None:
        thinking.wait()
        if reason == "budget":
            conversation.budget.set(3)
        else:
            conversation.budget.stop()
        turned.set()

    Thread(target=turn, daemon=True).start()
    reply = None
    for event in conversation.stream("What is 2 + 3?"):
        if isinstance(event, ThinkingDelta) and event.used == 3:
            thinking.set()
            turned.wait()
        reply = event.reply if isinstance(event, Done) else None
    assert reply is not None
    assert (reply.stop_thinking, reply.usage.thinking_tokens) == (reason, 3)
