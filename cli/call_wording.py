"""Calls of tools and their results in words: whole, and folded to one line.

Knows how a call is written. Does not know screens, nor whether a call is allowed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from qwen3_mlx.cli.filter import clean, escaped_json
from qwen3_mlx.cli.wording import shortened
from qwen3_mlx.events import Reply, Step, ToolCall, ToolResult

FAILED = "error: "
"""How the text of a result that failed begins."""

UNREADABLE = "a call"
"""What stands for one that has no name, since it could not be read."""

WIDTH = 200
"""Characters of a folded line where no screen says how many."""


def whole(name: str, arguments: Mapping[str, object]) -> str:
    """A call with all that is handed over: `calculator(expression="347*582")`.

    What a terminal would hide or obey is escaped, so that nothing is allowed unseen.
    """
    written = (f"{argument}={_json(value)}" for argument, value in arguments.items())
    return escaped_json(f"{name}({', '.join(written)})")


def brief(call: ToolCall) -> str:
    """A call as short as it can be understood: `calculator(347*582)`."""
    if len(call.arguments) != 1:
        return whole(call.name, call.arguments)
    (value,) = call.arguments.values()
    return escaped_json(f"{call.name}({value if isinstance(value, str) else _json(value)})")


def folded(call: ToolCall, result: ToolResult, width: int | None = None) -> str:
    """A call and its result on one line: `calculator(347*582) = 201954`.

    Args:
        call: What was asked for.
        result: What came back.
        width: Columns there are, None when it does not matter.
    """
    columns = width or WIDTH
    shown = shortened(brief(call), columns // 2) if call.name else UNREADABLE
    text = clean(result.text.removeprefix(FAILED) if result.failed else result.text)
    sign = " failed: " if result.failed else " = "
    return shortened(f"{shown}{sign}{text.strip() or 'nothing'}", columns)


def unfolded(reply: Reply) -> str:
    """All that was thought and done before the answer."""
    if not reply.steps:
        return reply.thinking
    return "\n\n".join(part for step in reply.steps for part in _parts(step))


def _parts(step: Step) -> Iterator[str]:
    if thoughts := step.thinking.strip():
        yield thoughts
    for call, result in zip(step.tool_calls, step.results, strict=False):  # stopped in between
        yield f"{whole(call.name, call.arguments)}\n{result.text}"
    yield from (result.text for result in step.results[len(step.tool_calls) :])  # unreadable calls


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
