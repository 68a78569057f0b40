"""A full context: only what helps is offered, and only that is done."""

from __future__ import annotations

import io
from typing import cast

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.cli.room import make_room
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import ContextOverflowError
from qwen3_mlx.generation.thinking import ThinkingBudget
from tests.cli.fakes import FakeConversation


class FullChat:
    """A chat of one turn, in a context of 4096 tokens."""

    def __init__(self, typed: str, *, roomy: bool) -> None:
        self.told = io.StringIO()
        self.terminal = Terminal(io.StringIO(f"{typed}\n"), io.StringIO(), self.told)
        self.fake = FakeConversation([], ThinkingBudget(512), roomy=roomy)
        self.fake.messages = [
            {"role": "user", "content": "2 + 3?"},
            {"role": "assistant", "content": "5"},
        ]
        self.widened: list[int] = []

    @property
    def conversation(self) -> Conversation:
        return cast(Conversation, self.fake)

    def widen(self, context: int) -> None:
        self.widened.append(context)


FEWER = "d drops the oldest turn, n begins anew"


@pytest.mark.parametrize(
    ("tokens", "roomy", "question"),
    [
        (5000, True, f"{FEWER}, y makes the context 8192 tokens (YaRN): "),
        (8192, True, f"{FEWER}, y makes the context 16384 tokens (YaRN): "),
        (65535, True, f"{FEWER}, y makes the context 65536 tokens (YaRN): "),
        (65536, True, f"{FEWER}: "),
        (5000, False, "y makes the context 8192 tokens (YaRN): "),
        (120_205, False, ""),
    ],
)
def test_what_helps_is_offered(tokens: int, roomy: bool, question: str) -> None:
    chat = FullChat("", roomy=roomy)
    assert not make_room(chat, "More?", ContextOverflowError("it is full", tokens=tokens))
    told = " ".join(chat.told.getvalue().replace(":[", ": [").split())
    assert told == f"Error: it is full {question}[the question was not asked]"
    assert len(chat.fake.messages) == 2


@pytest.mark.parametrize(
    ("context", "tokens", "wider"),
    [(40_000, 41_000, 65536), (20_000, 50_000, 65536), (20_000, 30_000, 40_000)],
)
def test_the_longest_context_is_offered_where_doubling_passes_it(
    context: int, tokens: int, wider: int
) -> None:
    chat = FullChat("y", roomy=True)
    chat.fake.context_length = context
    assert make_room(chat, "More?", ContextOverflowError("it is full", tokens=tokens))
    assert chat.widened == [wider]


def test_no_wider_context_is_offered_than_the_longest() -> None:
    chat = FullChat("y", roomy=True)
    chat.fake.context_length = 65536
    assert not make_room(chat, "More?", ContextOverflowError("it is full"))
    assert chat.widened == []


@pytest.mark.parametrize(
    ("letter", "roomy", "messages", "widened"),
    [("d", True, 0, []), ("n", True, 0, []), ("y", True, 2, [16384]), ("y", False, 2, [16384])],
)
def test_what_was_chosen_is_done(
    letter: str, roomy: bool, messages: int, widened: list[int]
) -> None:
    chat = FullChat(letter, roomy=roomy)
    assert make_room(chat, "More?", ContextOverflowError("it is full", tokens=9000))
    assert (len(chat.fake.messages), chat.widened) == (messages, widened)


def test_a_turn_is_not_dropped_for_a_message_that_is_too_long_alone() -> None:
    chat = FullChat("n", roomy=False)
    assert not make_room(chat, "More?", ContextOverflowError("it is full", tokens=9000))
    assert len(chat.fake.messages) == 2
