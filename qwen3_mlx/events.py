"""What happens during a reply, as values: the only thing that flows up from generation.

Knows the shape of a reply and of the events that build it. Knows nothing of models, tokens'
meaning or screens; imports nothing of the project.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

StopThinking: TypeAlias = Literal["off", "natural", "budget", "user", "length", "auto"]
"""Why the thinking ended. `off`: there was no block to think in; `natural`: the model ended it;
`budget`: the budget did; `user`: `budget.stop()` or an interrupt; `length`: the room given by
`max_tokens` or by the context did, or left none to think in; `auto`: a budget that sets itself
found that it was enough."""

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
    its say, `accepted_tokens` were right. `probed_tokens` were read or written only for a budget
    that sets itself, which looked at the answer of that moment.
    """

    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    injected_tokens: int = 0
    answer_tokens: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    probed_tokens: int = 0


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
class ToolResult:
    """What a call came to, as the model is told it.

    `failed` when it did not do what was asked; `text` then begins with `error: `. `name` is empty
    where what the model wrote was no call that can be read. `seconds` is how long the tool took.
    """

    name: str
    text: str
    failed: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class ThinkingChosen:
    """`thinking="auto"` has decided about this turn; the first event of it.

    `reason` says why in a few words: `lookup-like`.
    """

    think: bool
    reason: str


@dataclass(frozen=True, slots=True)
class BudgetChosen:
    """A budget that sets itself has chosen how far to think; sent before the first thought."""

    limit: int
    because: str

    def __str__(self) -> str:
        return f"budget auto: {self.limit} ({self.because})"


@dataclass(frozen=True, slots=True)
class AutoReport:
    """What a budget that sets itself did in one reply.

    `extended_to` is the limit after the answer was found to be still moving, None without that;
    `why` what ended the thinking, empty where the model or a person did.
    """

    chosen: BudgetChosen
    thinking_tokens: int
    why: str
    extended_to: int | None = None

    def __str__(self) -> str:
        extended = f" · extended to {self.extended_to}" if self.extended_to else ""
        stopped = f" · stopped at {self.thinking_tokens}: {self.why}" if self.why else ""
        return f"{self.chosen}{extended}{stopped}"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a tool chain: what the model thought and said, asked for, and was told.

    `results` are those of the `tool_calls`, in their order, then those of calls that could not be
    read; there are fewer when the turn was stopped before all calls were made. The other fields
    are those of a reply, of this step alone.
    """

    thinking: str
    answer: str
    tool_calls: tuple[ToolCall, ...]
    results: tuple[ToolResult, ...]
    stop_thinking: StopThinking
    usage: Usage
    timing: Timing


@dataclass(frozen=True, slots=True)
class Reply:
    """A finished (or interrupted) turn of the model.

    `thinking` holds what the model wrote in the block, without the injected stop instruction;
    `auto` what a budget that sets itself did, None for any other.

    `steps` are those of a tool chain, the last one with the answer; empty where no tool was
    called. Then `thinking` joins the thoughts of all steps by blank lines, and `stop_thinking` is
    why the last of them ended; `usage` and `timing` count all steps, but the prompt and what was
    cached of it are those of the last one, and the first token is that of the first; `answer` and
    `tool_calls` are of the last step alone.
    """

    answer: str
    thinking: str
    tool_calls: tuple[ToolCall, ...]
    stop_thinking: StopThinking
    finish_reason: FinishReason
    usage: Usage
    timing: Timing
    auto: AutoReport | None = None
    steps: tuple[Step, ...] = ()


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
    """The block is closed; sent once, before the first part of the answer.

    `why` says in words what a budget that sets itself found, or that there was no room for a
    single thought, with the numbers; it is empty otherwise.
    """

    reason: StopThinking
    thinking_tokens: int
    seconds: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class AnswerDelta:
    """More text of the answer, never empty and never half a character."""

    text: str


@dataclass(frozen=True, slots=True)
class StepDone:
    """The tools of one step have been called; the model goes on with what they said."""

    step: Step


@dataclass(frozen=True, slots=True)
class Done:
    """The turn is over; always the last event."""

    reply: Reply


Event: TypeAlias = (
    ThinkingChosen
    | BudgetChosen
    | ThinkingDelta
    | ThinkingStopped
    | AnswerDelta
    | ToolCall
    | ToolResult
    | StepDone
    | Done
)
