"""`thinking="auto"`: each message decides, unless a switch holds or the turn was told otherwise."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Event, ThinkingChosen
from qwen3_mlx.generation.mode import Thinking
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.qwen3_format import INSTRUCT_2507

LOOKUP, SUM = "What is the capital of Peru?", "What is 12 + 7?"
Begin = Callable[..., Conversation]


@pytest.fixture(autouse=True)
def _words(script: Any) -> None:
    script.tell("hm", "Yes.")


def thought(conversation: Conversation, text: str, **how: Any) -> bool:
    return conversation.send(text, **how).thinking == "hm"


def mode(conversation: Conversation) -> Thinking:
    return conversation.thinks


def choices(conversation: Conversation, text: str, **how: Any) -> list[Event]:
    events = list(conversation.stream(text, **how))
    assert not any(isinstance(event, ThinkingChosen) for event in events[1:])
    return [event for event in events if isinstance(event, ThinkingChosen)]


def test_each_message_decides(chat: Begin) -> None:
    conversation = chat(thinking="auto")
    assert [thought(conversation, text) for text in (LOOKUP, SUM, LOOKUP)] == [False, True, False]


def test_the_choice_is_the_first_event(chat: Begin) -> None:
    conversation = chat(thinking="auto")
    assert choices(conversation, LOOKUP) == [ThinkingChosen(think=False, reason="lookup-like")]
    assert choices(conversation, SUM) == [ThinkingChosen(think=True, reason="a calculation")]
    assert choices(chat(), SUM) == []


def test_what_is_typed_decides_and_not_a_file(chat: Begin) -> None:
    file = "Why is the sky blue? Prove that 2 + 2 = 4."
    assert not thought(chat(thinking="auto"), f"{file}\n\nWho wrote it?", typed="Who wrote it?")


def test_a_switch_beats_it_until_think_forgets_the_switches(chat: Begin) -> None:
    conversation = chat(thinking="auto")
    assert thought(conversation, f"/think {LOOKUP}")
    assert thought(conversation, LOOKUP)
    assert mode(conversation) is True
    conversation.think("auto")
    assert mode(conversation) == "auto"
    assert not thought(conversation, LOOKUP)
    assert not thought(conversation, f"{SUM} /no_think")


def test_a_switch_in_the_system_prompt_beats_it_and_its_other_words_do_not_matter(
    chat: Begin,
) -> None:
    assert not thought(chat(thinking="auto", system="Be brief. /no_think"), SUM)
    assert not thought(chat(thinking="auto", system="Prove that 2 + 2 = 4."), LOOKUP)


def test_one_turn_can_be_told_otherwise(chat: Begin) -> None:
    conversation = chat(thinking="auto")
    assert choices(conversation, LOOKUP, thinking=True) == []
    assert thought(conversation, LOOKUP, thinking=True)
    assert not thought(conversation, SUM, thinking=False)
    assert not thought(conversation, LOOKUP)  # none of it is kept


def test_a_model_that_never_thinks_and_a_budget_of_nothing_have_nothing_to_choose(
    chat: Begin,
) -> None:
    assert choices(chat(thinking="auto", budget=0), SUM) == []
    assert choices(chat(thinking="auto", form=INSTRUCT_2507), SUM) == []


def test_a_turn_that_is_left_at_the_choice_is_taken_back(chat: Begin) -> None:
    conversation = chat(thinking="auto")
    events = conversation.stream(LOOKUP)
    next(events)
    events.close()
    assert conversation.messages == []


def test_reading_ahead_goes_on(chat: Begin) -> None:
    conversation = chat(thinking="auto")
    conversation.send(SUM)
    assert conversation.read_ahead()
    assert not thought(conversation, LOOKUP)


def test_what_is_no_way_to_think_is_refused(chat: Begin) -> None:
    with pytest.raises(UsageError, match="thinking is 'on'"):
        chat(thinking="on")
    with pytest.raises(UsageError, match="thinking is 'on'"):
        chat().think("on")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        ([{"role": "user", "content": LOOKUP}], False),
        ([{"role": "user", "content": SUM}], True),
        ([{"role": "user", "content": f"/think {LOOKUP}"}], True),
        ([{"role": "user", "content": SUM}, {"role": "assistant", "content": "19"},
          {"role": "user", "content": LOOKUP}], False),
        ([{"role": "system", "content": "Prove that 2 + 2 = 4."},
          {"role": "user", "content": LOOKUP}], False),
    ],
)  # fmt: skip
def test_generate_decides_by_what_is_said_last(
    checkpoint: Any, messages: list[Any], thinks: bool
) -> None:
    import qwen3_mlx

    llm: LLM = qwen3_mlx.load(str(checkpoint))
    assert llm.request(messages, thinking="auto").thinking is thinks
