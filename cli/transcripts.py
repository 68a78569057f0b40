"""Conversations as files: JSON that is read back, Markdown for people.

Knows the two formats and checks what it reads. Does not know where a person keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent
from typing import TYPE_CHECKING, Any, cast

from qwen3_mlx.cli.call_wording import whole
from qwen3_mlx.cli.files import read_text
from qwen3_mlx.cli.filter import escaped_json
from qwen3_mlx.cli.state import replace_file, state_path
from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.thinking import AutoBudget, parse_auto
from qwen3_mlx.strict_json import finite_json, holds_too_much

if TYPE_CHECKING:
    from qwen3_mlx.text.pieces import Message

VERSION = 1
LAST = "last.json"
# What a message may hold, and of what type.
FIELDS = {
    "role": str,
    "content": str,
    "reasoning_content": str,
    "tool_calls": list,
    "thinking": bool,
    "interrupted": bool,
    "summary": str,
}
ROLES = ("system", "user", "assistant", "tool")
CODE = "    "
"""Before each line of what is no Markdown."""

HEADINGS = {"system": "System", "user": "You", "assistant": "Qwen3", "tool": "Tool"}


@dataclass(frozen=True)
class Transcript:
    """A conversation as it is kept.

    Attributes:
        model: What answered last.
        budget: Of thinking tokens, None for no end, or one that sets itself.
        messages: All of them, with the thoughts that may be kept.
        given: Whether a person chose the budget; it is written down only then.
    """

    model: str
    budget: int | AutoBudget | None
    messages: list[Message]
    given: bool = True


def save(transcript: Transcript, path: Path) -> None:
    """Write a conversation so that `load` gives it back; replaces the file in one step.

    Raises:
        Qwen3Error: It cannot be written.
    """
    budget = str(kept) if isinstance(kept := transcript.budget, AutoBudget) else kept
    data = {
        "version": VERSION,
        "model": transcript.model,
        **({"budget": budget} if transcript.given else {}),
        "messages": transcript.messages,
    }
    replace_file(path, escaped_json(json.dumps(data, ensure_ascii=False, indent=2)) + "\n")


def load(path: Path) -> Transcript:
    """Read what `save` wrote.

    Raises:
        UsageError: The file is missing, or is something else.
    """
    text = read_text(path)
    if holds_too_much(text.encode()):
        raise _no_conversation(path, "it has more parts than any conversation")
    try:
        data = finite_json(text)
    except (ValueError, RecursionError) as error:
        raise _no_conversation(path, "it is not JSON") from error
    if not isinstance(data, dict) or not isinstance(data.get("messages"), list):
        raise _no_conversation(path, "it has no messages")
    if data.get("version") != VERSION:
        raise _no_conversation(path, f"its version is {data.get('version')!r:.40}, not {VERSION}")
    for number, message in enumerate(data["messages"], 1):
        _check_message(path, number, message)
    return Transcript(
        str(data.get("model", "")),
        _budget(data.get("budget")),
        cast("list[Message]", data["messages"]),
        given="budget" in data,
    )


def _budget(value: object) -> int | AutoBudget | None:
    """A budget as it was saved; no end where it makes no sense."""
    if type(value) is int and value >= 0:
        return value
    try:
        return parse_auto(value) if isinstance(value, str) else None
    except UsageError:
        return None


def last() -> Transcript:
    """The last conversation of a chat that kept it.

    Raises:
        UsageError: There is none, or it cannot be read.
    """
    path = state_path(LAST)
    if not path.exists():
        raise UsageError(
            "there is no conversation to go on with", hint="A chat in a terminal keeps its own."
        )
    try:
        return load(path)
    except UsageError as error:
        hint = "Remove it, or start without --resume."
        raise UsageError(error.message, hint=hint) from error


def export(messages: Sequence[Message], path: Path) -> None:
    """Write a conversation as Markdown, thoughts folded away.

    Raises:
        Qwen3Error: It cannot be written.
    """
    replace_file(path, "\n\n".join(_section(message) for message in messages) + "\n")


def _section(message: Message) -> str:
    parts = [f"## {HEADINGS.get(message['role'], message['role'])}"]
    if thoughts := (message.get("reasoning_content") or "").strip():
        parts.append(f"<details><summary>Thoughts</summary>\n\n{thoughts}\n\n</details>")
    said = (message.get("content") or "").strip()
    parts.append(indent(said, CODE) if message["role"] == "tool" else said)
    parts += [indent(_shown_call(call), CODE) for call in message.get("tool_calls") or ()]
    if summary := message.get("summary"):
        parts.append(f"*How it came to this: {summary}*")
    if message.get("interrupted"):
        parts.append("*interrupted*")
    return "\n\n".join(part for part in parts if part)


def _shown_call(call: Mapping[str, Any]) -> str:
    function = call.get("function", call)
    arguments = function.get("arguments")
    return whole(function["name"], arguments if isinstance(arguments, dict) else {})


def _check_message(path: Path, number: int, message: Any) -> None:
    if not isinstance(message, dict):
        raise _no_conversation(path, f"message {number} is no object")
    if message.get("role") not in ROLES or not isinstance(message.get("content"), str):
        raise _no_conversation(path, f"message {number} has no role or no content")
    for name, value in message.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            raise _no_conversation(path, f"message {number} has an unusable field {name!r:.40}")
    if not all(map(_is_call, message.get("tool_calls", ()))):
        raise _no_conversation(path, f"message {number} has an unusable call of a tool")


def _is_call(call: object) -> bool:
    """Whether it is a call, with or without the `function` wrapper."""
    function = call.get("function", call) if isinstance(call, dict) else None
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return False
    return isinstance(function.get("arguments", {}), dict | str)


def _no_conversation(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no saved conversation: {why}", hint="/save writes one.")
