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

NAMES: dict[type[Event], str] = {
    ThinkingChosen: "thinking_chosen",
    BudgetChosen: "budget_chosen",
    ThinkingDelta: "thinking",
    ThinkingStopped: "thinking_stopped",
    AnswerDelta: "answer",
    ToolCall: "tool_call",
    ToolResult: "tool_result",
    StepDone: "step_done",
    Done: "done",
}
"""What the field `event` says of each kind."""


def reply_object(model: str, reply: Reply, summary: str | None = None) -> str:
    """The one object of `ask --json`; with a summary, if one was asked for."""
    return _written(_reply(model, reply, summary), indent=2)


def event_line(model: str, event: Event, summary: str | None = None) -> str:
    """One line of `ask --jsonl`; the last one with a summary, if one was asked for."""
    if isinstance(event, Done):
        fields = _reply(model, event.reply, summary)
    else:
        fields = dataclasses.asdict(event)
    return _written({"event": NAMES[type(event)], **fields})


def _written(fields: dict[str, object], indent: int | None = None) -> str:
    return escaped_json(json.dumps(fields, ensure_ascii=False, allow_nan=False, indent=indent))


def _reply(model: str, reply: Reply, summary: str | None) -> dict[str, object]:
    fields = dataclasses.asdict(reply)
    del fields["tool_calls"]
    if not reply.steps:
        del fields["steps"]
    summed_up = {} if summary is None else {"summary": summary}
    return {"model": model, **fields, **summed_up}
