"""What every renderer of a chat format does, and how to read a prompt's end.

Knows messages and pieces. Does not know any particular format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from qwen3_mlx.errors import UsageError
from qwen3_mlx.text.backend import END_THINK, IM_START, THINK
from qwen3_mlx.text.pieces import Control, Message, Piece

Family: TypeAlias = Literal["hybrid", "thinking", "instruct"]
Block: TypeAlias = Literal["absent", "open", "closed"]
Tools: TypeAlias = Sequence[Mapping[str, object]]

ROLES = ("system", "user", "assistant", "tool")


class Renderer(Protocol):
    """Writes conversations in one chat format."""

    @property
    def family(self) -> Family:
        """`hybrid` (thinks or not, as asked), `thinking` (the prompt opens the thoughts), or
        `instruct` (never thinks)."""

    def render(
        self,
        messages: Sequence[Message],
        *,
        thinking: bool,
        tools: Tools,
        add_generation_prompt: bool,
    ) -> list[Piece]:
        """The pieces of the prompt."""


def thinking_block(pieces: Sequence[Piece]) -> Block:
    """Whether the prompt leaves the reply's thinking block `absent`, `open` or `closed`."""
    for piece in reversed(pieces):
        if piece == Control(THINK):
            return "open"
        if piece == Control(END_THINK):
            return "closed"
        if piece == Control(IM_START):
            break
    return "absent"


def check_request(messages: Sequence[Message], tools: Tools) -> None:
    """Refuse what no chat format can write.

    Raises:
        UsageError: No message, an unknown role, content that is not text, or a tool or tool
            call that is not JSON.
    """
    if not messages:
        raise UsageError("there is no message to answer")
    for i, message in enumerate(messages):
        _check_message(f"message {i}", message)
    _check_json("the list of tools", tools)


def _check_message(name: str, message: Message) -> None:
    role, content = message.get("role"), message.get("content")
    thought, calls = message.get("reasoning_content"), message.get("tool_calls")
    if role not in ROLES:
        raise UsageError(f"{name} has the unknown role {role!r:.40}")
    if not isinstance(content, str) and not (content is None and role == "assistant"):
        raise UsageError(f"the content of {name} is not text: {content!r:.40}")
    if not isinstance(thought, str | None):
        raise UsageError(
            f"the reasoning_content of {name} is no text but a {type(thought).__name__}"
        )
    if not all(isinstance(call, dict) for call in calls or ()):
        raise UsageError(f"{name} has a tool call that is no object: {calls!r:.80}")
    _check_json(f"a tool call of {name}", calls)


def _check_json(name: str, value: object) -> None:
    try:
        json.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} cannot be written as JSON: {error}") from error
