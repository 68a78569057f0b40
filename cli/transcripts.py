"""Conversations as files: JSON that is read back, Markdown for people.

Knows the two formats and checks what it reads. Does not know where a person keeps them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from qwen3_mlx.cli.files import read_text
from qwen3_mlx.cli.state import replace_file, state_path
from qwen3_mlx.errors import Qwen3Error, UsageError

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
}
ROLES = {"system", "user", "assistant", "tool"}
HEADINGS = {"system": "System", "user": "You", "assistant": "Qwen3", "tool": "Tool"}


@dataclass(frozen=True)
class Transcript:
    """A conversation as it is kept.

    Attributes:
        model: What answered last.
        budget: Of thinking tokens, None for no end.
        messages: All of them, thoughts included.
    """

    model: str
    budget: int | None
    messages: list[Message]


def save(transcript: Transcript, path: Path) -> None:
    """Write a conversation so that `load` gives it back; replaces the file in one step.

    Raises:
        Qwen3Error: It cannot be written.
    """
    data = {
        "version": VERSION,
        "model": transcript.model,
        "budget": transcript.budget,
        "messages": transcript.messages,
    }
    _write(path, json.dumps(data, ensure_ascii=False, indent=2) + "\n")


def load(path: Path) -> Transcript:
    """Read what `save` wrote.

    Raises:
        UsageError: The file is missing, or is something else.
    """
    text = read_text(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_conversation(path, "it is not JSON") from error
    if not isinstance(data, dict) or not isinstance(data.get("messages"), list):
        raise _no_conversation(path, "it has no messages")
    if data.get("version") != VERSION:
        raise _no_conversation(path, f"its version is {data.get('version')!r}, not {VERSION}")
    for number, message in enumerate(data["messages"], 1):
        _check_message(path, number, message)
    budget = data.get("budget")
    return Transcript(
        str(data.get("model", "")),
        budget if type(budget) is int and budget >= 0 else None,
        cast("list[Message]", data["messages"]),
    )


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
    return load(path)


def export(messages: Sequence[Message], path: Path) -> None:
    """Write a conversation as Markdown, thoughts folded away.

    Raises:
        Qwen3Error: It cannot be written.
    """
    _write(path, "\n\n".join(_section(message) for message in messages) + "\n")


def _section(message: Message) -> str:
    parts = [f"## {HEADINGS.get(message['role'], message['role'])}"]
    if thoughts := (message.get("reasoning_content") or "").strip():
        parts.append(f"<details><summary>Thoughts</summary>\n\n{thoughts}\n\n</details>")
    parts.append((message.get("content") or "").strip())
    if message.get("interrupted"):
        parts.append("*interrupted*")
    return "\n\n".join(part for part in parts if part)


def _write(path: Path, text: str) -> None:
    try:
        replace_file(path, text)
    except OSError as error:
        raise Qwen3Error(f"{path} cannot be written: {_reason(error)}") from error


def _check_message(path: Path, number: int, message: Any) -> None:
    if not isinstance(message, dict):
        raise _no_conversation(path, f"message {number} is no object")
    if message.get("role") not in ROLES or not isinstance(message.get("content"), str):
        raise _no_conversation(path, f"message {number} has no role or no content")
    for name, value in message.items():
        if name not in FIELDS or not isinstance(value, FIELDS[name]):
            raise _no_conversation(path, f"message {number} has an unusable field {name!r}")


def _no_conversation(path: Path, why: str) -> UsageError:
    return UsageError(f"{path} is no saved conversation: {why}", hint="/save writes one.")


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
