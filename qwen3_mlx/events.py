"""What happens during a reply, as values: the only thing that flows up from generation.

Knows the shape of a reply and of the events that build it. Knows nothing of models, tokens'
meaning or screens; imports nothing of the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

StopThinking: TypeAlias = Literal["off", "natural", "budget", "user", "length"]
"""Why the thinking ended. `off`: there was no block to think in; `natural`: the model ended it;
`budget`: the budget did; `user`: `budget.stop()` or an interrupt; `length`: the room given by
`max_tokens` or by the context did."""

FinishReason: TypeAlias = Literal["stop", "length", "user", "tool_calls"]
"""Why the reply ended. `stop`: the model ended it; `length`: no room was left; `user`: it was
interrupted; `tool_calls`: it ended in at least one call of a tool."""


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts of one reply.

    `prompt_tokens` is the whole prompt, of which `cached_tokens` were taken from an earlier
    turn, or from the disk.
    `thinking_tokens` are those the model generated inside the block: without the tags and without
    the `injected_tokens` of the stop instruction. `answer_tokens` are all after the block, tool
    calls included, the end token not. Of `drafted_tokens`, which were guessed before the model had
    its say, `accepted_tokens` were right.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    injected_tokens: int = 0
    answer_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds and rates of one reply.

    `first_token_seconds` runs from the start of the turn to the first generated token;
    `decode_seconds` from there to the last. `prefill_tokens_per_second` counts the prompt tokens
    that were not cached. A rate over no time is 0.
    """

    load_seconds: float = 0.0
    first_token_seconds: float = 0.0
    prefill_seconds: float = 0.0
    decode_seconds: float = 0.0
    prefill_tokens_per_second: float = 0.0
    decode_tokens_per_second: float = 0.0
    peak_memory_bytes: int = 0


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool to be called; emitted when its last character has arrived."""

    name: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished (or interrupted) turn of the model.

    `thinking` holds what the model wrote in the block, without the injected stop instruction.
    """

    answer: str
    thinking: str
    tool_calls: tuple[ToolCall, ...]
    stop_thinking: StopThinking
    finish_reason: FinishReason
    usage: Usage
    timing: Timing


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    """One more token of thinking.

    `text` may be empty (a character still incomplete). `used` counts this token; `budget` is what
    it counts against at this moment, None when there is no end.
    """

    text: str
    used: int
    budget: int | None


@dataclass(frozen=True, slots=True)
class ThinkingStopped:
    """The block is closed; sent once, before the first part of the answer."""

    reason: StopThinking
    thinking_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More text of the answer, never empty and never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The turn is over; always the last event."""

    reply: Reply


Event: TypeAlias = ThinkingDelta | ThinkingStopped | AnswerDelta | ToolCall | Done
