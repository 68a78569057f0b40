"""The attack on the screen: texts that terminals obey, through every path that leads there.

Knows the paths within the program: the filter itself, what a turn shows, asides, errors, questions,
progress, pages, and the line editor. Commands as a whole are in `commands_shown`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import TypeAlias, cast

from qwen3_mlx.cli.calls import Calls
from qwen3_mlx.cli.choices import Show
from qwen3_mlx.cli.filter import DisplayFilter, clean
from qwen3_mlx.cli.heatmap import Shade, show
from qwen3_mlx.cli.jsonl import event_line
from qwen3_mlx.cli.markdown import MarkdownAnswer
from qwen3_mlx.cli.progress import showing_progress, showing_steps
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_registry import Entry, ToolRegistry
from qwen3_mlx.cli.view import PlainAnswer, TurnView, thoughts_for
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.events import (
    AnswerDelta,
    BudgetChosen,
    Done,
    Event,
    Reply,
    ThinkingDelta,
    ThinkingStopped,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
)
from qwen3_mlx.tools.tool import Tool
from tests.trust.commands_shown import COMMANDS, try_command, try_editor
from tests.trust.screens import Caught, Kind, chunks, forbidden, hostile, on, splits
from tests.trust.tally import Tally, main

COMMAND_EVERY = 20
"""Commands take longer than paths."""

Path: TypeAlias = Callable[[Terminal, str, random.Random], object]


def answer(terminal: Terminal, text: str, chance: random.Random) -> None:
    """An answer alone, as it comes."""
    with TurnView(terminal) as view:
        for part in chunks(chance, text):
            view.show(AnswerDelta(part))


def turn(terminal: Terminal, text: str, chance: random.Random) -> None:
    """Thoughts, calls, results, an answer, and how it ended."""
    show_thoughts = chance.choice((Show.WINDOW, Show.FULL, Show.HIDDEN))
    with TurnView(terminal, show=show_thoughts, calls=_calls(terminal, text)) as view:
        for event in _events(text, chance):
            view.show(event)


def _calls(terminal: Terminal, text: str) -> Calls:
    allowed = Entry(cast("Tool", SimpleNamespace(name=text)), text, allowed=True)
    return Calls(terminal, ToolRegistry([allowed]))


def _events(text: str, chance: random.Random) -> Iterator[Event]:
    yield BudgetChosen(256, text)
    for used, part in enumerate(chunks(chance, text), 1):
        yield ThinkingDelta(part, used, 512)
    yield ThinkingStopped("auto", 3, 1.0, text)
    yield ToolCall(text, {text: [text]})
    yield ToolResult(text, text, chance.random() < 0.5, 0.1)
    yield from map(AnswerDelta, chunks(chance, text))
    calls = (ToolCall(text, {}),)
    yield Done(Reply(text, text, calls, "natural", "tool_calls", Usage(), Timing()))


def question(terminal: Terminal, text: str, chance: random.Random) -> None:
    """A call that a person is asked about, and other questions."""
    _calls(terminal, "other").approve(ToolCall(text, {text: text}))
    terminal.confirm(text)
    terminal.choose(text, "y")


def waiting_question(terminal: Terminal, text: str, chance: random.Random) -> None:
    """A call that a person looks at until a key is pressed, short or long."""
    terminal.can_ask = True
    calls = _calls(terminal, "other")
    calls.interrupted = lambda: True
    calls.begin(lambda: None)
    calls.approve(ToolCall(text, {text: text * chance.choice((1, 20))}))
    calls.end()


def clipboard(terminal: Terminal, text: str, chance: random.Random) -> None:
    """An answer that is copied."""
    if terminal.live:
        terminal.conversational = True
        terminal.copy(text)


def script(terminal: Terminal, text: str, chance: random.Random) -> None:
    """The events of a turn as JSON."""
    for event in _events(text, chance):
        terminal.data(event_line(text, event, text))


def lines(terminal: Terminal, text: str, chance: random.Random) -> None:
    """Lines about the conversation, data, and errors."""
    terminal.aside(text)
    terminal.say(text, "bold")
    terminal.data(text)
    terminal.error(ModelFileError(text, hint=text))


def progress(terminal: Terminal, text: str, chance: random.Random) -> None:
    """Files that are fetched, and other things that take long."""
    with showing_progress(terminal) as update:
        update(text, 1, 10)
        update(text + "!", 10, 10)
    with showing_steps(terminal) as update:
        update(text, 5, 10)
    with terminal.busy(text):
        pass


def page(terminal: Terminal, text: str, chance: random.Random) -> None:
    """A line of a page of figures."""
    show([text, Shade(3), text], terminal)


PATHS: dict[str, Path] = {
    path.__name__: path
    for path in (
        *(answer, turn, question, waiting_question, script),
        *(lines, progress, page, clipboard),
    )
}


def cut_answer(terminal: Terminal, parts: Sequence[str]) -> None:
    """An answer that comes in these parts; a screen's open block is not redrawn meanwhile."""
    page = terminal.page
    shown = PlainAnswer(terminal.answer) if page is None else MarkdownAnswer(page, live=False)
    for part in filter(None, parts):
        shown.write(part)
    shown.end()


def cut_thoughts(terminal: Terminal, parts: Sequence[str]) -> None:
    """Thoughts that come in these parts."""
    thoughts = thoughts_for(terminal, Show.FULL, "")
    for used, part in enumerate(parts, 1):
        thoughts.add(ThinkingDelta(part, used, 512))
    thoughts.end()


CUT: dict[str, Callable[[Terminal, Sequence[str]], None]] = {
    "answer, cut everywhere": cut_answer,
    "thoughts, cut everywhere": cut_thoughts,
}


def try_filter(text: str) -> str:
    """What the filter makes of a text, however it is cut."""
    whole = clean(text)
    for parts in splits(text):
        one = DisplayFilter()
        if "".join(map(one.feed, parts)) != whole:
            return "another text when it is cut"
    return "an escape byte" if forbidden(whole, Kind.PIPE) else ""


def try_path(path: Path, kind: Kind, text: str, chance: random.Random) -> str:
    """What of a text reaches a screen on one path that must not; nothing, if all is well."""
    return _reached(kind, path, text, chance)


def try_cuts(name: str, kind: Kind, text: str) -> str:
    """The same for a path where the text comes in parts, wherever it is cut."""
    return next(filter(None, (_reached(kind, CUT[name], parts) for parts in splits(text))), "")


def _reached(kind: Kind, show: Callable[..., object], *given: object) -> str:
    caught = Caught()
    with on(kind) as (terminal, stream), caught:
        show(terminal, *given)
    return caught.said or forbidden(stream.getvalue(), kind)


def attack(count: int, seed: int) -> Tally:
    """So many texts, each cut everywhere, and through all paths."""
    tally = Tally()
    for number in range(count):
        chance = random.Random(f"{seed} {number}")
        text = hostile(chance)
        kind = [*Kind][number % len(Kind)]
        trial = f"stream {number}, {kind}: {text!r}"
        _note(tally, "the filter, cut everywhere", try_filter(text), trial)
        for name in CUT:
            _note(tally, name, try_cuts(name, kind, text), trial)
        for name, path in PATHS.items():
            _note(tally, name, try_path(path, kind, text, chance), trial)
        if number % COMMAND_EVERY == 0:
            for name, command in COMMANDS.items():
                _note(tally, name, try_command(command, kind, text), trial)
            _note(tally, "the line editor", try_editor(text), trial)
    return tally


def _note(tally: Tally, place: str, found: str, trial: str) -> None:
    if found:
        tally.fell(f"{place}: reached", f"{found} of {trial}")
    else:
        tally.held(f"{place}: nothing reached it")


if __name__ == "__main__":
    main(attack, 10_000)
