"""One turn on the screen: the thoughts while they come, then the answer.

Knows the order of events and where each goes. How thoughts look is the business of `live` and
`plain`; new kinds of view plug in as another `Thoughts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.chat import last_reply
from qwen3_mlx.cli import wording
from qwen3_mlx.cli.dial import KEYS, Dial
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.events import AnswerDelta, Done, Event, Reply, ThinkingDelta, ThinkingStopped

if TYPE_CHECKING:
    from qwen3_mlx.generation.thinking import ThinkingBudget


class Thoughts(Protocol):
    """Shows thinking under way."""

    def begin(self) -> None:
        """The turn has begun; nothing has come yet."""

    def add(self, event: ThinkingDelta) -> None:
        """One more token of thinking."""

    def reading(self, done: int, total: int) -> None:
        """The model has read `done` of the prompt's `total` tokens."""

    def turned(self, budget: int | None, note: str) -> None:
        """The dial was turned: what it stands at, and what to say beside it."""

    def end(self) -> None:
        """No more thoughts come. May be called again, and without `begin`."""


class Show(StrEnum):
    """How much of the thoughts is shown."""

    WINDOW = "window"
    FULL = "full"
    HIDDEN = "hidden"


def thoughts_for(terminal: Terminal, show: Show, keys: str) -> Thoughts:
    """The way to show thoughts that fits the terminal."""
    if not terminal.live:
        from qwen3_mlx.cli.plain import NoThoughts, PlainThoughts

        return NoThoughts(terminal) if show is Show.HIDDEN else PlainThoughts(terminal)
    from qwen3_mlx.cli.live import FullThoughts, HiddenThoughts, LiveThoughts

    kinds = {Show.WINDOW: LiveThoughts, Show.FULL: FullThoughts, Show.HIDDEN: HiddenThoughts}
    return kinds[show](terminal, keys)


class Answer(Protocol):
    """Shows an answer under way."""

    def write(self, text: str) -> None:
        """One more part of it."""

    def end(self) -> None:
        """No more comes. May be called again."""


class PlainAnswer:
    """Passes an answer on as it is, and ends its last line.

    Args:
        write: Takes the parts.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._last = ""

    def write(self, text: str) -> None:
        """One more part of it."""
        self._write(text)
        self._last = text[-1]

    def end(self) -> None:
        """No more comes."""
        if self._last not in {"", "\n"}:
            self.write("\n")


def answer_for(terminal: Terminal) -> Answer:
    """The way to show an answer that fits the terminal."""
    if terminal.page is None:
        return PlainAnswer(terminal.answer)
    from qwen3_mlx.cli.markdown import MarkdownAnswer

    return MarkdownAnswer(terminal.page)


class TurnView:
    """Shows the events of one turn; to be used as a context, so that the screen is left tidy.

    Args:
        terminal: Where to.
        write_answer: Takes the parts of the answer; by default they go to standard output.
        show: How much of the thoughts.
        budget: Of this turn; keys turn it, see `press`.
    """

    def __init__(
        self,
        terminal: Terminal,
        write_answer: Callable[[str], None] | None = None,
        *,
        show: Show = Show.WINDOW,
        budget: ThinkingBudget | None = None,
    ) -> None:
        self._terminal = terminal
        self._dial = None if budget is None else Dial(budget, self._turned)
        keys = KEYS if self._dial and terminal.hears_keys else ""
        self._thoughts = thoughts_for(terminal, show, keys)
        self._reply = PlainAnswer(write_answer) if write_answer else answer_for(terminal)
        self._begun = False
        self._budget: int | None = None

    def __enter__(self) -> TurnView:
        self._thoughts.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end_thoughts()
        self._reply.end()

    def play(self, events: Iterable[Event]) -> Reply:
        """Shows all events of a turn. Returns its reply."""
        return last_reply(map(self._shown, events))

    def reading(self, done: int, total: int) -> None:
        """The model has read `done` of the prompt's `total` tokens."""
        self._thoughts.reading(done, total)

    def press(self, key: str) -> None:
        """A key was pressed, in any thread."""
        if self._dial:
            self._dial.press(key)

    def show(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case ThinkingDelta():
                self._think(event)
            case ThinkingStopped():
                self._fold(event)
            case AnswerDelta():
                self._answer(event.text)
            case Done():
                self._finish(event.reply)
            case _:
                pass

    def _shown(self, event: Event) -> Event:
        self.show(event)
        return event

    def _think(self, event: ThinkingDelta) -> None:
        self._budget = event.budget
        if self._dial:
            self._dial.thought(event.used)  # first: whoever sees the thought may press a key
        self._thoughts.add(event)

    def _turned(self) -> None:
        if self._dial:
            self._budget = self._dial.limit
            self._thoughts.turned(self._budget, self._dial.note)

    def _fold(self, event: ThinkingStopped) -> None:
        self._end_thoughts()
        self._terminal.aside(wording.thought(event, self._budget, self._terminal.width))

    def _end_thoughts(self) -> None:
        if self._dial:
            self._dial.close()
        self._thoughts.end()

    def _answer(self, text: str) -> None:
        self._end_thoughts()
        text = text if self._begun else text.lstrip("\n")
        if text:
            self._begun = True
            self._reply.write(text)

    def _finish(self, reply: Reply) -> None:
        self._end_thoughts()
        self._reply.end()
        ending = wording.ending(reply)
        if ending:
            self._terminal.aside(ending)
