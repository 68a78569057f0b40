"""One turn in which the model may call tools: it asks, is told, and goes on, until it answers.

Knows how steps follow each other, and what they share: the budget, `max_tokens`, and the number of
steps. How one step is answered is the engine's business, how a tool is called that of `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from qwen3_mlx.errors import UsageError, check_type, shown
from qwen3_mlx.events import (
    AutoReport,
    Done,
    FinishReason,
    Reply,
    Step,
    StepDone,
    ToolCall,
    ToolResult,
    Usage,
)
from qwen3_mlx.generation.engine import Answering, Engine, Events
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.tools.account import counted, whole_reply
from qwen3_mlx.tools.budget import StepBudget
from qwen3_mlx.tools.history import assistant_message, interrupted, step_messages
from qwen3_mlx.tools.run import failure, run
from qwen3_mlx.tools.tool import Tool

MAX_STEPS = 16
"""Steps of one turn that may call tools."""

MAX_BROKEN = 2
"""Steps of one turn whose unreadable calls the model gets back."""

LEAST_TOKENS = 64
"""Of a result, however full the context is."""


@dataclass(frozen=True, slots=True)
class Toolbox:
    """What the model may call in one turn.

    Attributes:
        tools: No two with the same name.
        approve: Asked before each call; None: all are allowed.
        max_steps: After so many steps that called tools the model has to answer.
    """

    tools: Sequence[Tool] = ()
    approve: Callable[[ToolCall], bool] | None = None
    max_steps: int = MAX_STEPS

    def __post_init__(self) -> None:
        check_type("max_steps", self.max_steps, int)
        if self.max_steps < 1:
            raise UsageError(f"max_steps is {shown(self.max_steps)}", hint="Use 1 or more.")


class Chain:
    """One request being answered, with the help of tools.

    Without tools it is a single step, and the same as `Answering`.

    Args:
        request: Offers the schemas of the tools; its budget and `max_tokens` are for all steps.
        prefix: What the model has read before; afterwards it holds the last step.
    """

    def __init__(self, engine: Engine, request: Request, prefix: Prefix, toolbox: Toolbox) -> None:
        self._engine = engine
        self._request = request
        self._prefix = prefix
        self._toolbox = toolbox
        self._stops = request.budget.stops
        self._limit = request.budget.limit
        self._auto: AutoReport | None = None
        self._steps: list[Step] = []  # that are over, tools called and all
        self._messages: list[Message] = []  # theirs
        self._broken = 0  # of them, those with calls that could not be read
        self._answering: Answering | None = None  # the step under way
        self._results: list[ToolResult] = []  # of its calls
        self._finish: FinishReason | None = None  # why the turn ends, if not as its last step does

    def events(self) -> Events:
        """All events of all steps; the last one is `Done`, also when a person stopped it.

        Raises:
            UsageError: see `Answering`.
            ContextOverflowError: prompt and steps are longer than the context.
            NonFiniteError: the model's numbers are not finite.
        """
        while True:
            self._answering = answering = Answering(self._engine, self._next(), self._prefix)
            with closing(answering.events()) as events:
                yield from (event for event in events if not isinstance(event, Done))
            if not self._asks(answering):
                break
            yield from self._call(answering)
            if self._request.stopped():
                break
            yield StepDone(self._conclude(answering))
        yield Done(self._reply(answering))

    def messages(self) -> list[Message]:
        """What the turn leaves in the conversation, the question apart.

        Stopped by a person, it is kept up to its last result, or as far as its answer came; there
        is nothing if it came to neither.
        """
        kept = [*self._messages, *self._under_way()]
        return interrupted(kept) if kept and self._stopped else kept

    @property
    def _stopped(self) -> bool:
        """Whether a person ended the turn: a turn that is left in the middle counts as that."""
        if self._finish is not None:
            return self._finish == "user"
        step = self._answering
        return step is None or self._calls(step) or step.reply().finish_reason == "user"

    def _next(self) -> Request:
        """What the model is asked in the next step."""
        if not self._toolbox.tools:
            return self._request
        request = replace(
            self._request,
            may_call=len(self._steps) < self._toolbox.max_steps,
            broken_calls="apart" if self._broken < MAX_BROKEN else "mended",
        )
        return self._after_steps(request) if self._steps else request

    def _after_steps(self, request: Request) -> Request:
        budget = StepBudget(
            request.budget,
            used=sum(step.usage.thinking_tokens for step in self._steps),
            over=request.budget.stops != self._stops,
            chosen=self._limit,
        )
        messages = [*request.messages, *self._messages]
        left = self._tokens_left([step.usage for step in self._steps])
        return replace(request, messages=messages, budget=budget, max_tokens=left)

    def _tokens_left(self, usages: Iterable[Usage]) -> int | None:
        """What is left of `max_tokens`."""
        most = self._request.max_tokens
        return None if most is None else most - sum(map(counted, usages))

    def _asks(self, answering: Answering) -> bool:
        """Whether the step wants tools called; without room to go on with, none is."""
        if not self._calls(answering):
            return False
        usage = answering.reply().usage
        left = self._tokens_left([*(step.usage for step in self._steps), usage])
        if left is not None and left < 1:
            self._finish = "length"
            return False
        return True

    def _calls(self, answering: Answering) -> bool:
        """Whether the step came to its end and calls tools there."""
        reply, broken = answering.reply(), answering.turn.broken_calls
        calls = bool(self._toolbox.tools and (reply.tool_calls or broken))
        return calls and reply.finish_reason not in {"user", "length"}

    def _call(self, answering: Answering) -> Iterator[ToolResult]:
        """Call what the step asks for, in order, until a person stops it."""
        self._finish = "user"  # as long as something is still to be called
        for call in answering.turn.tool_calls:
            if self._request.stopped():
                return
            self._results.append(self._run(call))
            yield self._results[-1]
        for broken in answering.turn.broken_calls:
            why = f"the call could not be read: {broken.why}; write the whole call again"
            self._results.append(failure("", why))
            yield self._results[-1]

    def _run(self, call: ToolCall) -> ToolResult:
        return run(
            self._toolbox.tools,
            call,
            approve=self._toolbox.approve,
            stopped=self._request.stopped,
            fitting=self._fitting,
            clock=self._engine.clock,
        )

    def _fitting(self, text: str) -> int:
        """How many characters of a result take half of the context that is left, or less."""
        tokenizer = self._engine.tokenizer
        told = sum(len(tokenizer.encode(result.text)) for result in self._results)
        room = max(LEAST_TOKENS, (self._engine.context_length - self._prefix.used - told) // 2)
        ids = tokenizer.encode(text)
        if len(ids) <= room:
            return len(text)
        return len(tokenizer.decode(ids[:room]).rstrip("\N{REPLACEMENT CHARACTER}"))  # half a one

    def _conclude(self, answering: Answering) -> Step:
        """The tools of a step have been called."""
        step, broken = self._step(answering), answering.turn.broken_calls
        if not self._steps and (auto := answering.reply().auto):
            self._auto, self._limit = auto, auto.extended_to or auto.chosen.limit
        self._steps.append(step)
        self._broken += bool(broken)
        messages = [*self._messages, *step_messages(step, broken)]
        # In one statement: Ctrl-C between two would leave the step twice, or not at all.
        self._messages, self._answering, self._finish, self._results = messages, None, None, []
        return step

    def _step(self, answering: Answering) -> Step:
        reply = answering.reply()
        return Step(
            thinking=reply.thinking,
            answer=reply.answer,
            tool_calls=reply.tool_calls,
            results=tuple(self._results),
            stop_thinking=reply.stop_thinking,
            usage=reply.usage,
            timing=reply.timing,
        )

    def _under_way(self) -> list[Message]:
        """What the step under way leaves."""
        if self._answering is None:
            return []
        step, offered = self._step(self._answering), bool(self._toolbox.tools)
        came_to = step.results or step.answer or (step.tool_calls and not offered)
        if self._stopped and not came_to:
            return []
        broken = self._answering.turn.broken_calls
        return step_messages(step, broken) if offered else [assistant_message(step)]

    def _reply(self, last: Answering) -> Reply:
        reply = last.reply()
        finish = self._finish or reply.finish_reason
        if not self._steps and not self._results:
            return replace(reply, finish_reason=finish)
        return whole_reply([*self._steps, self._step(last)], finish, self._auto or reply.auto)
