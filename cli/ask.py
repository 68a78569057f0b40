"""`qwen3-mlx ask`: one question, one answer, for people in a hurry and for scripts.

Knows what a question is put together from and the three forms of an answer. How they look is the
business of `view` and `jsonl`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.files import attached, not_utf8
from qwen3_mlx.cli.interrupt import stop_on_interrupt
from qwen3_mlx.cli.jsonl import event_line, reply_object
from qwen3_mlx.cli.loading import finish_saving, open_conversation, open_model
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.thoughts_file import kept_thoughts
from qwen3_mlx.cli.view import TurnView
from qwen3_mlx.cli.welcome import better_model
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.events import Event
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
) -> None:
    """Asks and shows the answer.

    Args:
        prompt: What the person wrote; files and piped input are put before it.
        settings: The model and how it should answer.
        terminal: Where to.
        files: Whose text is part of the question.
        thinking_to: A file for the thoughts.
        form: Of what goes to standard output.

    Raises:
        Qwen3Error: there is nothing to ask, a file cannot be used, the model cannot be had, or it
            fails.
    """
    typed = (prompt or "").strip()
    text = _question(typed, files, terminal)
    with kept_thoughts(thinking_to, files) as kept:
        llm = open_model(settings, terminal)
        conversation = open_conversation(llm, settings, terminal)
        if terminal.live and settings.model is None and llm.source.kind == "bundled":
            terminal.aside(f"{llm.name} is a small demonstration model; better: {better_model()}")
        with stop_on_interrupt(conversation.stop) as presses, terminal.quiet_keys():
            events = map(kept, presses.raised_between(conversation.stream(text, typed=typed)))
            if form is Form.JSONL:
                _tell(llm, events, terminal)
            else:
                _show(llm, conversation, events, terminal, as_json=form is Form.JSON)
        finish_saving(llm, terminal)


def _tell(llm: LLM, events: Iterator[Event], terminal: Terminal) -> None:
    for event in events:
        terminal.data(event_line(llm.name, event))


def _show(
    llm: LLM,
    conversation: Conversation,
    events: Iterator[Event],
    terminal: Terminal,
    *,
    as_json: bool,
) -> None:
    with TurnView(terminal, _swallow if as_json else None) as view:
        conversation.on_prefill = view.reading
        reply = view.play(events)
    terminal.aside(wording.statistics(reply))
    if as_json:
        terminal.data(reply_object(llm.name, reply))


def _question(typed: str, files: Sequence[Path], terminal: Terminal) -> str:
    text = "\n\n".join(filter(None, (*map(attached, files), _piped(terminal), typed)))
    if not text:
        raise UsageError("there is nothing to ask", hint='Try: qwen3-mlx ask "What is 2 + 3?"')
    return text


def _piped(terminal: Terminal) -> str:
    if terminal.stdin.isatty():
        return ""
    try:
        return terminal.stdin.read().strip("\n")
    except UnicodeDecodeError as error:
        raise not_utf8("the piped input", error) from error


def _swallow(_text: str) -> None:
    """Takes the answer that will be printed as JSON."""
