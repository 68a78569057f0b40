"""Qwen3's chat format, written out in code.

Knows the exact text around messages, thoughts, tools and tool results, and which of it is
control tokens. Does not know files, ids or Jinja. Because this code writes the format
itself, it knows whose every character is: what a message contains is always text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from qwen3_mlx.errors import UsageError
from qwen3_mlx.text.backend import (
    END_THINK,
    END_TOOL_CALL,
    END_TOOL_RESPONSE,
    IM_END,
    IM_START,
    THINK,
    TOOL_CALL,
    TOOL_RESPONSE,
)
from qwen3_mlx.text.pieces import Message, Piece, Text, merge, split
from qwen3_mlx.text.renderer import Family, Tools

_CONTROLS = frozenset(
    {
        *(IM_START, IM_END, THINK, END_THINK),
        *(TOOL_CALL, END_TOOL_CALL, TOOL_RESPONSE, END_TOOL_RESPONSE),
    }
)

_TOOLS_HEAD = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
_TOOLS_TAIL = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments"
    " within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
)


@dataclass(frozen=True, slots=True)
class Qwen3Format:
    """Qwen3's format as one branch of the family writes it. Implements `Renderer`.

    Attributes:
        family: Which branch.
        knows_thoughts: Thoughts are told from answers, and kept after the last question.
    """

    family: Family
    knows_thoughts: bool = True

    def render(
        self,
        messages: Sequence[Message],
        *,
        thinking: bool,
        tools: Tools,
        add_generation_prompt: bool,
    ) -> list[Piece]:
        """The pieces of the prompt, spelling what transformers' `apply_chat_template` does.

        Raises:
            UsageError: A tool call has no name.
        """
        pieces = [*_system(messages, tools), *self._messages(messages)]
        if add_generation_prompt:
            pieces += self._reply_opening(thinking)
        return merge(pieces)

    def _messages(self, messages: Sequence[Message]) -> Iterator[Piece]:
        question = _last_question(messages)
        roles = [None, *(message["role"] for message in messages), None]
        for i, message in enumerate(messages):
            before, role, after = roles[i : i + 3]
            if role == "assistant":
                yield from self._assistant(message, in_turn=i > question, last=after is None)
            elif role == "tool":
                yield from _tool_result(message, first=before != role, last=after != role)
            elif role == "user" or i > 0:
                yield from _turn(message)

    def _assistant(self, message: Message, *, in_turn: bool, last: bool) -> Iterator[Piece]:
        thought, answer = "", content_of(message)
        if self.knows_thoughts:
            thought, answer = split_thoughts(message)
        yield from _write(f"{IM_START}assistant\n")
        if self.knows_thoughts and in_turn and (thought or last):
            yield from _thoughts(thought)
            yield Text(answer.lstrip("\n"))
        else:
            yield Text(answer)
        for i, call in enumerate(_calls(message)):
            yield Text("\n" if answer or i > 0 else "")
            yield from _call(call)
        yield from _write(f"{IM_END}\n")

    def _reply_opening(self, thinking: bool) -> list[Piece]:
        block = f"{THINK}\n" if self.family == "thinking" else ""
        if self.family == "hybrid" and not thinking:
            block = f"{THINK}\n\n{END_THINK}\n\n"
        return _write(f"{IM_START}assistant\n{block}")


HYBRID = Qwen3Format("hybrid")
THINKING_2507 = Qwen3Format("thinking")
INSTRUCT_2507 = Qwen3Format("instruct", knows_thoughts=False)
INSTRUCT_2507_MLX = Qwen3Format("instruct")


def _write(text: str) -> list[Piece]:
    """Text of the format itself: its control tokens are control tokens."""
    return split(text, _CONTROLS)


def _system(messages: Sequence[Message], tools: Tools) -> Iterator[Piece]:
    has_system = messages[0]["role"] == "system"
    if not (has_system or tools):
        return
    yield from _write(f"{IM_START}system\n")
    if has_system:
        yield Text(content_of(messages[0]) + ("\n\n" if tools else ""))
    if tools:
        yield from _write(_TOOLS_HEAD)
        yield Text("".join("\n" + _to_json(tool) for tool in tools))
        yield from _write(_TOOLS_TAIL)
    yield from _write(f"{IM_END}\n")


def _last_question(messages: Sequence[Message]) -> int:
    """Where a person asked last; a tool's result in a user message is no question."""
    asked = [
        i
        for i, message in enumerate(messages)
        if message["role"] == "user" and not is_tool_result(content_of(message))
    ]
    return asked[-1] if asked else len(messages) - 1


def is_tool_result(content: str) -> bool:
    """Whether the content of a user message is what a tool answered."""
    return content.startswith(TOOL_RESPONSE) and content.endswith(END_TOOL_RESPONSE)


def _turn(message: Message) -> Iterator[Piece]:
    yield from _write(f"{IM_START}{message['role']}\n")
    yield Text(content_of(message))
    yield from _write(f"{IM_END}\n")


def _thoughts(thought: str) -> Iterator[Piece]:
    yield from _write(f"{THINK}\n")
    yield Text(thought.strip("\n"))
    yield from _write(f"\n{END_THINK}\n\n")


def _call(call: Mapping[str, object]) -> Iterator[Piece]:
    name, arguments = call.get("name"), call.get("arguments")
    if not isinstance(name, str):
        raise UsageError(f"a tool call has no name: {call!r:.80}")
    written = arguments if isinstance(arguments, str) else _to_json(arguments)
    yield from _write(f"{TOOL_CALL}\n")
    yield Text(f'{{"name": "{name}", "arguments": {written}}}')
    yield from _write(f"\n{END_TOOL_CALL}")


def _tool_result(message: Message, *, first: bool, last: bool) -> Iterator[Piece]:
    """Results that follow each other share one user turn."""
    yield from _write(f"{IM_START}user" if first else "")
    yield from _write(f"\n{TOOL_RESPONSE}\n")
    yield Text(content_of(message))
    yield from _write(f"\n{END_TOOL_RESPONSE}")
    yield from _write(f"{IM_END}\n" if last else "")


def content_of(message: Message) -> str:
    """The message's text; an assistant that only calls tools may have none."""
    return message.get("content") or ""


def split_thoughts(message: Message) -> tuple[str, str]:
    """An assistant message's thoughts and answer.

    Without `reasoning_content`, a `</think>` in the content ends the thoughts.
    """
    content, thought = content_of(message), message.get("reasoning_content")
    if isinstance(thought, str):
        return thought, content
    head, *tail = content.split(END_THINK)
    if not tail:
        return "", content
    return head.rstrip("\n").split(THINK)[-1].lstrip("\n"), tail[-1].lstrip("\n")


def _calls(message: Message) -> list[Mapping[str, object]]:
    """The tool calls, with or without the `function` wrapper."""
    calls: list[Mapping[str, object]] = []
    for call in message.get("tool_calls") or ():
        inner = call.get("function")
        calls.append(inner if isinstance(inner, dict) and inner else call)
    return calls


def _to_json(value: object) -> str:
    """JSON as chat templates write it: every character as itself."""
    return json.dumps(value, ensure_ascii=False)
