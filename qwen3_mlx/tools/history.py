"""Replies and steps as messages: what a turn leaves in a conversation.

Knows the keys of messages. Does not know which turns are kept.
"""

from __future__ import annotations

from collections.abc import Sequence

from qwen3_mlx.events import Reply, Step, ToolCall
from qwen3_mlx.text.backend import END_TOOL_CALL, TOOL_CALL
from qwen3_mlx.text.calls import BrokenCall
from qwen3_mlx.text.pieces import Message


def assistant_message(said: Reply | Step) -> Message:
    """What the model said, with the thoughts apart."""
    message: Message = {
        "role": "assistant",
        "content": said.answer,
        "reasoning_content": said.thinking,
    }
    if said.tool_calls:
        message["tool_calls"] = [_call(call) for call in said.tool_calls]
    return message


def step_messages(step: Step, broken: Sequence[BrokenCall]) -> list[Message]:
    """What a step asked for and was told.

    Calls without a result are left out; those that could not be read are text.
    """
    answered = step.tool_calls[: len(step.results)]
    unreadable = [_spelled(call) for call in broken[: len(step.results) - len(answered)]]
    message = assistant_message(step)
    message["content"] = "\n".join(filter(None, [step.answer, *unreadable]))
    message.pop("tool_calls", None)
    if answered:
        message["tool_calls"] = [_call(call) for call in answered]
    results: list[Message] = [{"role": "tool", "content": r.text} for r in step.results]
    return [message, *results]


def interrupted(messages: Sequence[Message]) -> list[Message]:
    """The same messages, the last of the model marked as where a person stopped it."""
    last = max(i for i, message in enumerate(messages) if message["role"] == "assistant")
    return [*messages[:last], {**messages[last], "interrupted": True}, *messages[last + 1 :]]


def without_thoughts(message: Message) -> Message:
    """The message as if nothing had been thought; text in it that looks like thoughts stays."""
    return {**message, "reasoning_content": ""} if "reasoning_content" in message else message


def _call(call: ToolCall) -> dict[str, object]:
    function = {"name": call.name, "arguments": dict(call.arguments)}
    return {"type": "function", "function": function}


def _spelled(call: BrokenCall) -> str:
    return f"{TOOL_CALL}{call.text}{END_TOOL_CALL}"
