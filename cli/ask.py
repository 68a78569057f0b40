"""`qwen3-mlx ask`: one question, one answer, for people in a hurry and for scripts.

Knows what a question is put together from and the three forms of an answer. How they look is the
business of `view` and `jsonl`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.calls import Calls
from qwen3_mlx.cli.choices import Show
from qwen3_mlx.cli.cover import Cover, errors_covered
from qwen3_mlx.cli.files import attached, joined, read_piped
from qwen3_mlx.cli.interrupt import stop_on_interrupt
from qwen3_mlx.cli.jsonl import event_line, reply_object
from qwen3_mlx.cli.keyboard import listening
from qwen3_mlx.cli.loading import finish_saving, open_conversation, open_model
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.summing import summary_of
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.thoughts_file import kept_thoughts
from qwen3_mlx.cli.tool_options import NO_TOOLS, ToolWishes
from qwen3_mlx.cli.tool_registry import opened_tools
from qwen3_mlx.cli.view import TurnView
from qwen3_mlx.cli.welcome import better_model
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Done

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.events import Event, Reply
    from qwen3_mlx.runtime import LLM


class Form(StrEnum):
    """What goes to standard output."""

    TEXT = "text"
    JSON = "json"
    JSONL = "jsonl"


def form_of(*, as_json: bool, as_jsonl: bool) -> Form:
    """The form that `--json` and `--jsonl` ask for.

    Raises:
        UsageError: both were given.
    """
    if as_json and as_jsonl:
        raise UsageError(
            "--json and --jsonl contradict each other",
            hint="Give --json for one object at the end, or --jsonl for a line an event.",
        )
    return Form.JSON if as_json else Form.JSONL if as_jsonl else Form.TEXT


def run(
    prompt: str | None,
    settings: Settings,
    terminal: Terminal,
    *,
    files: Sequence[Path] = (),
    thinking_to: Path | None = None,
    form: Form = Form.TEXT,
    tools: ToolWishes = NO_TOOLS,
    flags: frozenset[str] = frozenset(),
) -> None:
    """Asks and shows the answer.

    Args:
        prompt: What the person wrote; files and piped input are put before it.
        settings: The model and how it should answer.
        terminal: Where to.
        files: Whose text is part of the question.
        thinking_to: A file for the thoughts.
        form: Of what goes to standard output.
        tools: What the model is offered.
        flags: The settings that were given on the command line.

    Raises:
        Qwen3Error: there is nothing to ask, options contradict each other, a file or a tool cannot
            be used, the model cannot be had, or it fails.
    """
    show = settings.thoughts
    _check_private(show, thinking_to)
    typed = (prompt or "").strip()
    text = _question(typed, files, terminal)
    with (
        errors_covered(terminal.redaction),
        kept_thoughts(thinking_to, files) as kept,
        opened_tools(tools, terminal) as registry,
    ):
        llm = open_model(settings, terminal)
        calls = Calls(terminal, registry) if registry.entries else None
        conversation = _opened(llm, settings, terminal, calls)
        if "budget" in flags and settings.thinks is False and conversation.budget.limit != 0:
            terminal.aside("--budget has no effect: thinking is off")
        cover = Cover(terminal.redaction, private=show.private)
        with stop_on_interrupt(conversation.stop) as presses, _keys(terminal, calls):
            if calls:
                calls.interrupted = presses.any
            stream = presses.raised_between(conversation.stream(text, typed=typed))
            events = map(kept, cover.events(stream))
            sum_up = partial(_summary, show, llm, terminal, text, cover)
            if form is Form.JSONL:
                _tell(llm, events, terminal, sum_up)
            else:
                write = _swallow if form is Form.JSON else None
                view = TurnView(
                    terminal,
                    write,
                    show=show,
                    calls=calls,
                    max_tokens=conversation.max_tokens,
                )
                reply = _play(conversation, events, view, terminal)
                _sum_up(llm, reply, sum_up(), terminal, as_json=form is Form.JSON)
        finish_saving(llm, terminal)


def _opened(llm: LLM, settings: Settings, terminal: Terminal, calls: Calls | None) -> Conversation:
    conversation = open_conversation(llm, settings, terminal, calls)
    if terminal.live and settings.model is None and llm.source.kind == "bundled":
        terminal.aside(f"{llm.name} is a small demonstration model; better: {better_model()}")
    conversation.private = settings.thoughts.private
    return conversation


def _keys(terminal: Terminal, calls: Calls | None) -> AbstractContextManager[None]:
    """Keeps keys off the screen; those that answer a question about a call are heard."""
    return terminal.quiet_keys() if calls is None else listening(terminal, calls.press)


def _check_private(show: Show, thinking_to: Path | None) -> None:
    if show.private and thinking_to is not None:
        raise UsageError(
            f"--thinking-to writes down the thoughts that --thoughts {show} keeps private",
            hint="Leave one of the two out.",
        )


def _summary(show: Show, llm: LLM, terminal: Terminal, question: str, cover: Cover) -> str | None:
    """The summary of the turn that is over; None if none is wanted."""
    if show is not Show.SUMMARY or cover.reply is None:
        return None
    return summary_of(llm, terminal, question, cover.reply)


def _tell(
    llm: LLM, events: Iterator[Event], terminal: Terminal, sum_up: Callable[[], str | None]
) -> None:
    for event in events:
        summary = sum_up() if isinstance(event, Done) else None
        terminal.data(event_line(llm.name, event, summary))


def _play(
    conversation: Conversation, events: Iterator[Event], view: TurnView, terminal: Terminal
) -> Reply:
    with view:
        conversation.on_prefill = view.reading
        reply = view.play(events)
    terminal.aside(wording.statistics(reply))
    return reply


def _sum_up(
    llm: LLM, reply: Reply, summary: str | None, terminal: Terminal, *, as_json: bool
) -> None:
    if summary:
        terminal.aside(f"summary: {summary}")
    if as_json:
        terminal.data(reply_object(llm.name, reply, summary))


def _question(typed: str, files: Sequence[Path], terminal: Terminal) -> str:
    text = joined(_parts(typed, files, terminal))
    if not text:
        raise UsageError("there is nothing to ask", hint='Try: qwen3-mlx ask "What is 2 + 3?"')
    return text


def _parts(typed: str, files: Sequence[Path], terminal: Terminal) -> Iterator[str]:
    yield from map(attached, files)
    if not terminal.stdin.isatty():
        yield read_piped(terminal.stdin).strip("\n")
    yield typed


def _swallow(_text: str) -> None:
    """Takes the answer that will be printed as JSON."""
