"""`qwen3-mlx ask`: one question, one answer, for people in a hurry and for scripts."""

from __future__ import annotations

import dataclasses
import json

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.editor import not_text
from qwen3_mlx.cli.filter import escaped_json
from qwen3_mlx.cli.loading import open_conversation, open_model
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.view import TurnView
from qwen3_mlx.cli.welcome import better_model
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Reply


def run(prompt: str | None, settings: Settings, terminal: Terminal, *, as_json: bool) -> None:
    """Asks and shows the answer.

    Args:
        prompt: What the person wrote; piped input is put before it.
        settings: The model and how it should answer.
        terminal: Where to.
        as_json: Whether to print one JSON object instead of the answer.

    Raises:
        Qwen3Error: there is nothing to ask, the model cannot be had, or it fails.
    """
    typed = (prompt or "").strip()
    text = _question(typed, terminal)
    llm = open_model(settings, terminal)
    conversation = open_conversation(llm, settings, terminal)
    if terminal.live and settings.model is None and llm.source.kind == "bundled":
        terminal.aside(f"{llm.name} is a small demonstration model; better: {better_model()}")
    with terminal.quiet_keys(), TurnView(terminal, _swallow if as_json else None) as view:
        conversation.on_prefill = view.reading
        reply = view.play(conversation.stream(text, typed=typed))
    terminal.aside(wording.statistics(reply))
    if as_json:
        terminal.data(to_json(llm.name, reply))


def _question(typed: str, terminal: Terminal) -> str:
    text = "\n\n".join(filter(None, (_piped(terminal), typed)))
    if not text:
        raise UsageError("there is nothing to ask", hint='Try: qwen3-mlx ask "What is 2 + 3?"')
    return text


def _piped(terminal: Terminal) -> str:
    if terminal.stdin.isatty():
        return ""
    try:
        return terminal.stdin.read().strip("\n")
    except UnicodeDecodeError as error:
        raise not_text(error) from error


def _swallow(_text: str) -> None:
    """Takes the answer that will be printed as JSON."""


def to_json(model: str, reply: Reply) -> str:
    """The one object of `ask --json`."""
    fields = dataclasses.asdict(reply)
    del fields["tool_calls"]
    return escaped_json(json.dumps({"model": model, **fields}, ensure_ascii=False, indent=2))
