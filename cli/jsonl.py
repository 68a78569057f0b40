"""Replies and events as JSON: one object for `--json`, one a line for `--jsonl`.

Knows the names of the fields, which are those of `qwen3_mlx.events`; docs/scripts.md lists them.
Does not know where the lines go.
"""

from __future__ import annotations

import dataclasses
import json

from qwen3_mlx.cli.filter import escaped_json
from qwen3_mlx.events import (
    AnswerDelta,
    Done,
    Event,
    Reply,
    ThinkingDelta,
    ThinkingStopped,
    ToolCall,
)

NAMES: dict[type[Event], str] = {
    ThinkingDelta: "thinking",
    ThinkingStopped: "thinking_stopped",
    AnswerDelta: "answer",
    ToolCall: "tool_call",
    Done: "done",
}
"""What the field `event` says of each kind."""


def reply_object(model: str, reply: Reply) -> str:
    """The one object of `ask --json`."""
    return escaped_json(json.dumps(_reply(model, reply), ensure_ascii=False, indent=2))


def event_line(model: str, event: Event) -> str:
    """One line of `ask --jsonl`."""
    fields = _reply(model, event.reply) if isinstance(event, Done) else dataclasses.asdict(event)
    return escaped_json(json.dumps({"event": NAMES[type(event)], **fields}, ensure_ascii=False))


def _reply(model: str, reply: Reply) -> dict[str, object]:
    fields = dataclasses.asdict(reply)
    del fields["tool_calls"]
    return {"model": model, **fields}
