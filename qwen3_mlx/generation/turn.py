"""One reply as it comes: when it ends, what it tells, what it counts.

Knows the gate's verdicts and the parser's text, and turns them into events. Pure Python: where
the tokens come from is not its business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace

from qwen3_mlx.events import (
    AnswerDelta,
    Event,
    FinishReason,
    ThinkingDelta,
    ThinkingStopped,
    ToolCall,
)
from qwen3_mlx.generation.steps import Part, TokenSource, TokenStep, Verdict
from qwen3_mlx.generation.stopwatch import Stopwatch
from qwen3_mlx.generation.thinking import ThinkingGate
from qwen3_mlx.text.calls import BrokenCall
from qwen3_mlx.text.parser import Delta, ReplyParser


@dataclass(frozen=True, slots=True)
class Room:
    """Where a reply must end.

    Attributes:
        context_left: Tokens of the context after the prompt; every token takes one.
        max_tokens: Of thoughts, injected text and answer together; None for no limit.
    """

    context_left: int
    max_tokens: int | None = None


class Turn:
    """One reply under way.

    Args:
        gate: Judges each token.
        parser: Sorts the text of the tokens.
        room: Where the reply must end.
        stopped: Asked at each token whether a person has ended the reply.
        watch: Told of each token.

    Attributes:
        answer_tokens: Counted so far.
        finish_reason: Why the reply ended, once it has.
    """

    def __init__(
        self,
        gate: ThinkingGate,
        parser: ReplyParser,
        *,
        room: Room,
        stopped: Callable[[], bool],
        watch: Stopwatch,
    ) -> None:
        self.gate = gate
        self.answer_tokens = 0
        self.finish_reason: FinishReason = "user"
        self._parser = parser
        self._room = room
        self._stopped = stopped
        self._watch = watch
        self._tokens = 0
        self._thoughts: list[str] = []
        self._told = False

    @property
    def thinking(self) -> str:
        """The thoughts shown so far."""
        return "".join(self._thoughts)

    @property
    def answer(self) -> str:
        """The answer shown so far."""
        return self._parser.answer

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The complete calls so far."""
        return self._parser.tool_calls

    @property
    def broken_calls(self) -> list[BrokenCall]:
        """What looked like a call and is kept apart from the answer."""
        return self._parser.broken_calls

    def run(self, source: TokenSource) -> Iterator[Event]:
        """The events of the reply, up to its end."""
        with closing(source(self.judge)) as steps:
            for step in steps:
                yield from self.take(step)
        yield from self.end()

    def take(self, step: TokenStep) -> Iterator[Event]:
        """The events of one token that became part of the reply."""
        self._watch.token(step.part)
        yield from self._events(step)

    def end(self) -> Iterator[Event]:
        """The events that the end of the reply brings."""
        yield from self._told_thinking_stopped()
        cut_off = self.finish_reason in {"user", "length"}
        yield from self._shown(self._parser.flush(cut_off=cut_off))

    def judge(self, token: int) -> Verdict:
        """What the loop must make of a sampled token."""
        if self._stopped():
            return self._interrupt()
        verdict = self.gate.judge(token)
        self._tokens += (verdict.part is not Part.DROPPED) + len(verdict.inject)
        self.answer_tokens += verdict.part is Part.ANSWER
        if verdict.last:
            self.finish_reason = "tool_calls" if self.tool_calls else "stop"
        elif self._full():
            self.finish_reason = "length"
            return replace(verdict, last=True)
        return verdict

    def _interrupt(self) -> Verdict:
        self.gate.interrupt()
        self.finish_reason = "user"
        return Verdict(Part.DROPPED, last=True)

    def _full(self) -> bool:
        counted = self.gate.thinking_tokens + self.gate.injected_tokens + self.answer_tokens
        limit = self._room.max_tokens
        return self._tokens >= self._room.context_left or (limit is not None and counted >= limit)

    def _events(self, step: TokenStep) -> Iterator[Event]:
        if step.part is Part.THOUGHT:
            yield self._thought(step.token)
        elif step.part is Part.OPEN:
            self._parser.push(step.token)
        else:
            yield from self._told_thinking_stopped()
            yield from self._shown(self._parser.push(step.token))

    def _thought(self, token: int) -> ThinkingDelta:
        text = "".join(delta.text for delta in self._parser.push(token))
        self._thoughts.append(text)
        return ThinkingDelta(text, self.gate.thinking_tokens, self.gate.limit)

    def _told_thinking_stopped(self) -> Iterator[ThinkingStopped]:
        if self._told or self.gate.stop_thinking == "off":
            return
        self._told = True
        seconds = self._watch.since_prefill()
        gate = self.gate
        yield ThinkingStopped(gate.stop_thinking, gate.thinking_tokens, seconds, gate.why)

    def _shown(self, deltas: list[Delta]) -> Iterator[Event]:
        """Answer and calls; the words of the stop instruction are still inside the block."""
        for delta in deltas:
            if delta.call is not None:
                yield delta.call
            elif delta.kind == "answer":
                yield AnswerDelta(delta.text)
