"""One turn on the screen: the thoughts while they come, then the answer.

Knows the order of events and where each goes. How thoughts look is the business of `live` and
`plain`; new kinds of view plug in as another `Thoughts`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.chat import last_reply
from qwen3_mlx.cli import wording
from qwen3_mlx.cli.choices import Show
from qwen3_mlx.cli.dial import KEYS, Dial
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.turnabout import KEY
from qwen3_mlx.events import (
    AnswerDelta,
    BudgetChosen,
    Done,
    Event,
    Reply,
    StepDone,
    ThinkingChosen,
    ThinkingDelta,
    ThinkingStopped,
    ToolCall,
    ToolResult,
)

if TYPE_CHECKING:
    from qwen3_mlx.cli.calls import Calls
    from qwen3_mlx.cli.turnabout import Turnabout
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

    def hint(self, text: str) -> None:
        """What to say beside them as long as they come, where that can be taken away again."""

    def end(self) -> None:
        """No more thoughts come. May be called again, and without `begin`."""


def thoughts_for(terminal: Terminal, show: Show, keys: str) -> Thoughts:
    """The way to show thoughts that fits the terminal."""
    if not terminal.live:
        from qwen3_mlx.cli.plain import NoThoughts, PlainThoughts

        return NoThoughts(terminal) if show.private else PlainThoughts(terminal)
    from qwen3_mlx.cli.live import FullThoughts, HiddenThoughts, LiveThoughts

    if show.private:
        return HiddenThoughts(terminal, keys)
    return FullThoughts(terminal, keys) if show is Show.FULL else LiveThoughts(terminal, keys)


class Answer(Protocol):
    """Shows an answer under way."""

    def write(self, text: str) -> None:
        """One more part of it."""

    def hint(self, text: str) -> None:
        """What to say below it as long as it comes, where that can be taken away again."""

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

    def hint(self, text: str) -> None:
        """Nothing can be taken away from a stream."""

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
        calls: Shows calls of tools, and asks about them; None where none are offered.
        again: Hears whether the turn is to begin again; None where it cannot.
        max_tokens: Of the reply; None: as the context allows.
    """

    def __init__(
        self,
        terminal: Terminal,
        write_answer: Callable[[str], None] | None = None,
        *,
        show: Show = Show.WINDOW,
        budget: ThinkingBudget | None = None,
        calls: Calls | None = None,
        again: Turnabout | None = None,
        max_tokens: int | None = None,
    ) -> None:
        self._terminal = terminal
        self._max_tokens = max_tokens
        self._again = again
        self._dial = None if budget is None else Dial(budget, self._turned)
        self._calls = calls
        keys = KEYS if self._dial and terminal.hears_keys else ""
        self._new_thoughts = partial(thoughts_for, terminal, show, keys)
        self._thoughts = self._new_thoughts()
        self._reply = PlainAnswer(write_answer) if write_answer else answer_for(terminal)
        self._begun = False
        self._hint = ""
        self._budget: int | None = None

    def __enter__(self) -> TurnView:
        if self._calls:
            self._calls.begin(self._pause)
        self._thoughts.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._calls:
            self._calls.end()
        self._pause()

    def play(self, events: Iterable[Event]) -> Reply:
        """Shows all events of a turn. Returns its reply."""
        return last_reply(map(self._shown, events))

    def reading(self, done: int, total: int) -> None:
        """The model has read `done` of the prompt's `total` tokens."""
        self._thoughts.reading(done, total)

    def press(self, key: str) -> None:
        """A key was pressed, in any thread."""
        if self._calls and self._calls.asking:
            self._calls.press(key)
        elif not (self._again and self._again.press(key)) and self._dial:
            self._dial.press(key)

    def show(self, event: Event) -> None:
        """Shows one event."""
        match event:
            case ThinkingDelta():
                self._think(event)
            case ThinkingChosen():
                self._choose(event)
            case BudgetChosen():
                self._terminal.aside(str(event))
            case ThinkingStopped():
                self._fold(event)
            case AnswerDelta():
                self._answer(event.text)
            case ToolCall():
                self._call(event)
            case ToolResult():
                self._result(event)
            case StepDone():
                self._go_on(event)
            case Done():
                self._finish(event.reply)

    def _shown(self, event: Event) -> Event:
        self.show(event)
        return event

    def _choose(self, event: ThinkingChosen) -> None:
        """Says the choice; of the key that changes it only as long as that works, if it can."""
        key = KEY if self._again and self._terminal.hears_keys else ""
        self._terminal.aside(wording.chosen(event, "" if self._terminal.live else key))
        if key:
            self._hint = wording.other_way(event, key)
            self._thoughts.hint(self._hint)
            self._reply.hint(self._hint)

    def _think(self, event: ThinkingDelta) -> None:
        self._budget = event.budget
        if self._dial:
            self._dial.thought(
                event.used, event.budget
            )  # first: whoever sees the thought may press a key
        self._thoughts.add(event)

    def _turned(self) -> None:
        if self._dial:
            self._budget = self._dial.limit
            self._thoughts.turned(self._budget, self._dial.note)

    def _fold(self, event: ThinkingStopped) -> None:
        self._end_thoughts()
        if event.thinking_tokens or event.reason != "auto":
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

    def _call(self, event: ToolCall) -> None:
        self._pause()
        if self._calls:
            self._calls.begun(event)

    def _result(self, event: ToolResult) -> None:
        self._pause()
        if self._calls:
            self._calls.over(event)

    def _go_on(self, event: StepDone) -> None:
        """The next step of a chain is read, and thinks anew."""
        if self._dial:
            self._dial.step_over(event.step.usage.thinking_tokens)
        self._begun = False
        self._thoughts = self._new_thoughts()
        self._thoughts.hint(self._hint)
        self._thoughts.begin()

    def _pause(self) -> None:
        """Leaves the screen tidy, so that something else can be written."""
        self._end_thoughts()
        self._reply.end()

    def _finish(self, reply: Reply) -> None:
        self._pause()
        told = self._again.ending if self._again else wording.ending
        ending = told(reply, self._max_tokens)
        if ending:
            self._terminal.aside(ending)
