"""Turns that are taken back, forgotten, or that turn the thinking for those that follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.thinking import ThinkingBudget


@pytest.fixture
def chat(script: Any, make_engine: Callable[..., Engine]) -> Conversation:
    script.tell("hm", "Yes.")
    return Conversation(make_engine(script), budget=ThinkingBudget(None), system="Be brief.")


def said(chat: Conversation) -> list[str | None]:
    return [message["content"] for message in chat.messages]


def thinks(chat: Conversation) -> bool:
    return chat.thinks is True


def test_undo_takes_back_what_was_said_and_answered(chat: Conversation) -> None:
    chat.send("One?")
    chat.send("Two?")
    assert chat.undo() == {"role": "user", "content": "Two?"}
    assert said(chat) == ["Be brief.", "One?", "Yes."]
    chat.undo()
    assert chat.undo() is None
    assert said(chat) == ["Be brief."]


def test_after_undo_only_what_is_new_is_read(chat: Conversation) -> None:
    chat.send("One?")
    first = chat.context_used
    chat.send("Two?")
    chat.undo()
    assert chat.send("Two?").usage.cached_tokens > first / 2


def test_a_turn_that_was_taken_back_uses_nothing(chat: Conversation) -> None:
    chat.send("One?")
    first = chat.context_used
    chat.send("Two?")
    second = chat.context_used
    chat.undo()
    assert 0 < chat.context_used <= first + 3  # the tags and the line break between turns
    chat.send("Two?")
    assert chat.context_used == second
    chat.undo()
    chat.undo()
    assert chat.context_used == 0


def test_the_oldest_turn_can_be_dropped(chat: Conversation) -> None:
    chat.send("One?")
    chat.send("Two?")
    assert chat.drop_oldest()
    assert said(chat) == ["Be brief.", "Two?", "Yes."]
    assert chat.drop_oldest()
    assert not chat.drop_oldest()
    assert said(chat) == ["Be brief."]


def test_a_switch_holds_until_the_next_one_and_goes_with_its_turn(chat: Conversation) -> None:
    assert thinks(chat)
    chat.send("One? /no_think")
    assert not thinks(chat)
    assert chat.messages[1] == {"role": "user", "content": "One? /no_think", "thinking": False}
    chat.send("Two?")
    assert not thinks(chat)
    chat.send("Three? /think")
    assert thinks(chat)
    chat.undo()
    assert not thinks(chat)
    chat.undo()
    chat.undo()
    assert thinks(chat)


def test_what_there_is_room_for_alone(chat: Conversation) -> None:
    assert chat.holds("One?")
    assert not chat.holds("One? " * chat.context_length)
    chat.max_tokens = 20  # no room for its thoughts, which is another matter
    assert chat.holds("One?")
    assert chat.longest_context == 32 * chat.context_length


def test_what_is_said_to_have_room_alone_can_be_sent(chat: Conversation) -> None:
    """Also the longest one: the closed block of a prompt without thoughts takes room, too."""
    count = next(n for n in range(chat.context_length, 0, -1) if chat.holds("a " * n))
    assert chat.send("a " * count).answer


def test_a_switch_in_the_oldest_turn_outlives_it(chat: Conversation) -> None:
    for question in ("One? /no_think", "Two?", "Three? /think", "Four?"):
        chat.send(question)
    chat.drop_oldest()
    chat.undo()
    chat.undo()
    assert not thinks(chat)
    assert chat.messages[1] == {"role": "user", "content": "Two?", "thinking": False}


def test_what_was_not_typed_turns_nothing(chat: Conversation) -> None:
    chat.send("A file says /no_think. What now?", typed="What now?")
    assert thinks(chat)
    assert "thinking" not in chat.messages[1]


def test_limits_are_changed_together_or_not_at_all(chat: Conversation) -> None:
    chat.adjust(max_tokens=100, sampling={"temp": 0.5})
    assert (chat.max_tokens, chat.sampling) == (100, {"temp": 0.5})
    with pytest.raises(UsageError):
        chat.adjust(max_tokens=50, sampling={"temp": -1.0})
    assert (chat.max_tokens, chat.sampling) == (100, {"temp": 0.5})
