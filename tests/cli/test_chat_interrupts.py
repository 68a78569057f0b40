"""Ctrl-C where a chat is neither waiting for a line nor in a turn: beside a turn, in a command."""

from __future__ import annotations

import io
import signal
from collections.abc import Iterator
from typing import cast

import pytest

from qwen3_mlx.cli.chat import INTERRUPTED, Chat
from qwen3_mlx.cli.editor import LineSource
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_registry import ToolRegistry
from qwen3_mlx.cli.view import TurnView
from qwen3_mlx.errors import Qwen3Error
from qwen3_mlx.events import AnswerDelta, Event
from qwen3_mlx.loading import load
from qwen3_mlx.runtime import LLM
from tests.cli.fakes import FakeLLM

WARNING = "[Ctrl-C once more leaves, and so does Ctrl-D]\n"


class Lines:
    """Gives these lines, and then no more."""

    def __init__(self, *lines: str) -> None:
        self._lines = iter(lines)

    def sit_at(self, desk: object) -> None:
        """Needs none."""

    def read(self, _suggestion: str, _text: str) -> str:
        line = next(self._lines, None)
        if line is None:
            raise EOFError
        return line


def begin(*lines: str, conversational: bool = True) -> tuple[Chat, FakeLLM, io.StringIO]:
    """A chat, the model in it, and what it writes beside the answers."""
    told = io.StringIO()
    terminal = Terminal(io.StringIO(), io.StringIO(), told)
    terminal.conversational = conversational
    llm, source, tools = FakeLLM(), cast(LineSource, Lines(*lines)), ToolRegistry()
    chat = Chat(cast(LLM, llm), Settings(), terminal, source, keep=False, tools=tools)
    return chat, llm, told


def interrupted() -> None:
    """Stands for a command that Ctrl-C comes into."""
    raise KeyboardInterrupt


def pressed_twice(*_: object, **__: object) -> Iterator[Event]:
    """Stands for a turn in which Ctrl-C is pressed, and again before it has ended."""
    for _press in range(2):
        signal.raise_signal(signal.SIGINT)
    yield AnswerDelta("never told")


def test_one_press_beside_a_turn_does_not_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, llm, told = begin("/undo", "/undo")
    monkeypatch.setattr(llm.conversation, "undo", interrupted)
    assert chat.run() == 0
    assert told.getvalue() == WARNING * 2


def test_a_second_press_in_a_turn_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, llm, told = begin("Hi", "never read")
    monkeypatch.setattr(llm.conversation, "stream", pressed_twice)
    assert chat.run() == INTERRUPTED
    assert WARNING not in told.getvalue()


def test_through_a_pipe_one_press_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, llm, told = begin("/undo", "never read", conversational=False)
    monkeypatch.setattr(llm.conversation, "undo", interrupted)
    assert chat.run() == INTERRUPTED
    assert told.getvalue() == ""


def test_a_turn_that_cannot_be_shown_is_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    terminal = Terminal(io.StringIO(), io.StringIO(), told)
    source, tools = cast(LineSource, Lines("/regen", "Hello.")), ToolRegistry()
    chat = Chat(load("tiny"), Settings(), terminal, source, keep=False, tools=tools)
    chat.conversation.messages += [
        {"role": "user", "content": "What is 2 + 3?"},
        {"role": "assistant", "content": "Five."},
    ]
    before = list(chat.conversation.messages)
    monkeypatch.setattr(TurnView, "show", broken)
    chat.run()
    assert told.getvalue().count("Error: too slow a pattern\n") == 2
    assert chat.conversation.messages == before


def broken(_view: TurnView, event: Event) -> None:
    if isinstance(event, AnswerDelta):
        raise Qwen3Error("too slow a pattern")
