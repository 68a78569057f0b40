"""Reading ahead while a line is typed: begun with the prompt, over before the line is acted on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import cast

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.cli.ahead import reading_ahead
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import Qwen3Error
from tests.cli.conftest import Start
from tests.cli.fakes import PATIENCE, answers


class Reader:
    """Reads until it is told to stop, as a conversation does, and notes what happens."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        self.told: list[str] = []

    def read_ahead(self, cancelled: Callable[[], bool]) -> bool:
        self.told.append("begun" if threading.current_thread() is not MAIN else "in the way")
        self.reading.set()
        while not cancelled():
            pass
        self.told.append("over")
        return False


MAIN = threading.main_thread()


def begin(reader: object, *, conversational: bool = True) -> tuple[Conversation, Terminal]:
    terminal = SimpleNamespace(conversational=conversational)
    return cast(Conversation, reader), cast(Terminal, terminal)


def test_the_reader_is_over_when_the_line_is_there() -> None:
    reader = Reader()
    with reading_ahead(*begin(reader)):
        assert reader.reading.wait(PATIENCE)
        assert reader.told == ["begun"]
    assert reader.told == ["begun", "over"]


@pytest.mark.parametrize("way", [EOFError, KeyboardInterrupt])
def test_the_reader_is_over_when_there_is_no_line(way: type[BaseException]) -> None:
    reader = Reader()
    with suppress(way), reading_ahead(*begin(reader)):
        assert reader.reading.wait(PATIENCE)
        raise way
    assert reader.told == ["begun", "over"]


def test_a_pipe_does_not_type() -> None:
    reader = Reader()
    with reading_ahead(*begin(reader, conversational=False)):
        pass
    assert reader.told == []


@pytest.mark.parametrize("error", [Qwen3Error("too long"), RuntimeError("no memory")])
def test_an_error_is_left_for_the_turn_to_tell(error: Exception) -> None:
    def fail(cancelled: Callable[[], bool]) -> bool:
        raise error

    with reading_ahead(*begin(SimpleNamespace(read_ahead=fail))):
        pass


def test_in_a_chat_no_turn_begins_before_the_reader_is_over(start: Start) -> None:
    """The scripted conversation refuses to speak while it is read ahead."""
    screen = start(answers("five"), answers("seven"))
    screen.wait_for("›")
    screen.type("2 + 3?\r")
    screen.wait_for("five\n\n›")
    screen.type("/clear\r")
    screen.wait_for("›")
    screen.type("3 + 4?\r")
    screen.wait_for("seven\n\n›")
    screen.type("\x04")
    assert screen.finish() == 0
