"""A scripted model: tests enqueue what it does, and see what it was asked.

Stands in for what `qwen3_mlx.load` returns, in the test's own process (fixture `llm`) or in a
process of its own (`run`). A turn is a list of events, errors to raise and `Hold`s; what belongs
to a stop (the last events, a turn that is taken back) and to a budget that is turned meanwhile it
does as the real conversation does.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import TypeAlias, cast

import qwen3_mlx
from qwen3_mlx import memory
from qwen3_mlx.cli.app import main
from qwen3_mlx.errors import Qwen3Error
from qwen3_mlx.events import (
    AnswerDelta,
    Done,
    Event,
    FinishReason,
    Reply,
    StepDone,
    StopThinking,
    ThinkingChosen,
    ThinkingDelta,
    ThinkingStopped,
    Timing,
    ToolCall,
    Usage,
)
from qwen3_mlx.events import Step as ChainStep
from qwen3_mlx.generation.mode import Thinking
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.tools.run import run as run_tool
from qwen3_mlx.tools.tool import Tool

PATIENCE = 20.0


@dataclass(frozen=True)
class Hold:
    """The model takes its time: until the file is there, or until it is stopped."""

    file: str = ""


@dataclass(frozen=True)
class Calls:
    """The model asks for these tools, and goes on with what they say."""

    calls: tuple[ToolCall, ...]


Step: TypeAlias = Event | Hold | Calls | Qwen3Error


def chooses(*, think: bool, reason: str = "lookup-like") -> list[Step]:
    """What `--thinking auto` finds."""
    return [ThinkingChosen(think, reason)]


def thinks(*texts: str, start: int = 1, budget: int | None = 512) -> list[Step]:
    """Tokens of thinking, counted from `start`."""
    return [ThinkingDelta(text, used, budget) for used, text in enumerate(texts, start)]


def stops(reason: StopThinking = "natural", tokens: int = 118, seconds: float = 3.2) -> list[Step]:
    """The end of the thinking."""
    return [ThinkingStopped(reason, tokens, seconds)]


def answers(*texts: str) -> list[Step]:
    """Parts of the answer."""
    return [AnswerDelta(text) for text in texts]


def calls(name: str, **arguments: object) -> list[Step]:
    """One step that asks for one tool."""
    return [Calls((ToolCall(name, arguments),))]


class Dialled:
    """What happens to the events of a turn when its budget is turned."""

    def __init__(self, budget: ThinkingBudget) -> None:
        self._budget = budget
        self._before = (budget.limit, budget.stops)
        self._used = 0

    @property
    def stopped(self) -> bool:
        """Whether the answer was asked for."""
        return self._budget.stops != self._before[1]

    def apply(self, event: Event) -> Event | None:
        """The event as it is now, None when it does not happen any more."""
        if isinstance(event, ThinkingDelta):
            self._used = event.used
            turned = self._budget.limit != self._before[0]
            event = replace(event, budget=self._budget.limit) if turned else event
            return None if self.stopped else event
        if isinstance(event, ThinkingStopped) and self.stopped:
            return ThinkingStopped("user", self._used, event.seconds)
        return event


@dataclass
class FakeConversation:
    """Plays the enqueued turns, one a message."""

    turns: list[list[Step]]
    budget: ThinkingBudget
    thinking: Thinking = True
    messages: list[dict[str, object]] = field(default_factory=list)
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    told: list[bool | None] = field(default_factory=list)  # to think or not, turn by turn
    cleared: int = 0
    stopped: bool = False
    finish_reason: FinishReason = "stop"
    system: str | None = None
    max_tokens: int | None = None
    context_used: int = 0
    context_length: int = 4096
    longest_context: int = 65536
    roomy: bool = True
    thinking_room: int = 4000
    sampling: dict[str, object] = field(default_factory=dict)
    on_prefill: Callable[[int, int], None] | None = None
    reading: bool = False
    private: bool = False
    tools: Sequence[Tool] = ()
    approve: Callable[[ToolCall], bool] | None = None
    steps: list[ChainStep] = field(default_factory=list)

    def stream(
        self, text: str, *, typed: str | None = None, thinking: bool | None = None
    ) -> Iterator[Event]:
        """The next turn."""
        self.told.append(thinking)
        self._check_not_read()
        self.asked.append((text, typed))
        self.stopped = False
        return self._turn(text, self.turns.pop(0))

    def stop(self) -> None:
        """Ends the turn under way."""
        self.stopped = True

    def read_ahead(self, cancelled: Callable[[], bool]) -> bool:
        """Has no end but being cancelled."""
        self.reading = True
        while not cancelled():
            time.sleep(0.01)
        self.reading = False
        return False

    def _check_not_read(self) -> None:
        if self.reading:
            raise AssertionError("the conversation is being read ahead")

    def clear(self) -> None:
        """Forgets all."""
        self._check_not_read()
        self.cleared += 1
        self.messages = [{"role": "system", "content": self.system}] if self.system else []

    @property
    def thinks(self) -> Thinking:
        """Whether the next turn does; the last typed word is not looked for."""
        return self.thinking

    def thinks_after(self, switch: bool | None) -> Thinking:
        """The same with a word that stands in the message."""
        return self.thinking if switch is None else switch

    def think(self, thinking: Thinking) -> None:
        """Whether turns think from here on."""
        self.thinking = thinking

    def undo(self) -> dict[str, object] | None:
        """Takes the last turn back."""
        if not self._turns:
            return None
        question = self.messages[-2]
        del self.messages[-2:]
        return question

    def holds(self, _text: str) -> bool:
        """Whether it has room for a message alone."""
        return self.roomy

    def drop_oldest(self) -> bool:
        """Forgets the first turn."""
        some, first = bool(self._turns), len(self.messages) - len(self._turns)
        del self.messages[first : first + 2]
        return some

    @property
    def _turns(self) -> list[dict[str, object]]:
        """The messages after the system prompt."""
        return [message for message in self.messages if message["role"] != "system"]

    def adjust(self, *, max_tokens: int | None, sampling: dict[str, object]) -> None:
        """Changes both."""
        self.max_tokens, self.sampling = max_tokens, sampling

    def _turn(self, text: str, steps: Sequence[Step]) -> Iterator[Event]:
        seen: list[Event] = []
        self.steps = []
        dialled = Dialled(self.budget)
        for step in steps:
            if isinstance(step, Qwen3Error):
                raise step
            if isinstance(step, Hold):
                self._hold(step, dialled)
            elif isinstance(step, Calls):
                yield from self._call(step.calls, seen)
            elif event := dialled.apply(step):
                seen.append(event)
                yield event
            if self.stopped:
                break
        yield from self._end(text, seen)

    def _call(self, calls: Sequence[ToolCall], seen: list[Event]) -> Iterator[Event]:
        """Runs the tools for real, one after the other, as far as nobody stops them."""
        yield from calls
        results = []
        for call in calls:
            if not self.stopped:
                stopped = partial(getattr, self, "stopped")
                results.append(run_tool(self.tools, call, approve=self.approve, stopped=stopped))
                yield results[-1]
        thinking = "".join(event.text for event in seen if isinstance(event, ThinkingDelta))
        counts = Usage(), Timing()
        self.steps.append(ChainStep(thinking, "", tuple(calls), tuple(results), "natural", *counts))
        if not self.stopped:
            yield StepDone(self.steps[-1])

    def _hold(self, hold: Hold, dialled: Dialled) -> None:
        deadline = time.monotonic() + PATIENCE
        while not (self.stopped or dialled.stopped or (hold.file and Path(hold.file).exists())):
            if time.monotonic() > deadline:
                raise TimeoutError(f"nobody ended {hold}")
            time.sleep(0.01)

    def _end(self, text: str, seen: list[Event]) -> Iterator[Event]:
        thoughts = [event for event in seen if isinstance(event, ThinkingDelta)]
        ends = [event for event in seen if isinstance(event, ThinkingStopped)]
        if thoughts and not ends:
            ends.append(ThinkingStopped("user", thoughts[-1].used, 3.2))
            yield ends[0]
        answer = "".join(event.text for event in seen if isinstance(event, AnswerDelta))
        if answer or self.steps or not self.stopped:
            thought = "" if self.private else "".join(event.text for event in thoughts)
            self.messages += [
                {"role": "user", "content": text},
                {"role": "assistant", "content": answer, "reasoning_content": thought},
            ]
        yield Done(self._reply(answer, thoughts, ends))

    def _reply(
        self, answer: str, thoughts: list[ThinkingDelta], ends: list[ThinkingStopped]
    ) -> Reply:
        used = ends[0].thinking_tokens if ends else 0
        steps = (*self.steps, ChainStep("", answer, (), (), "natural", Usage(), Timing()))
        return Reply(
            answer=answer,
            thinking="".join(event.text for event in thoughts),
            tool_calls=(),
            stop_thinking=ends[0].reason if ends else "off",
            finish_reason="user" if self.stopped else self.finish_reason,
            usage=Usage(prompt_tokens=20, thinking_tokens=used, answer_tokens=7),
            timing=Timing(first_token_seconds=0.25, decode_tokens_per_second=43.2),
            steps=steps if self.steps else (),
        )


class FakeLLM:
    """What a fake `load` returns, whatever the name; keeps what it was asked for."""

    def __init__(self, name: str = "tiny", kind: str = "bundled", budget: int = 512) -> None:
        self.name = name
        self.source = SimpleNamespace(kind=kind, name=name)
        self.prompts = None
        self.defaults = SimpleNamespace(budget=budget, warning=lambda **_: None)
        self.config = SimpleNamespace(rope_scaling=None, num_experts=128)
        self.expert_slots: int | None = None
        self.context_length = 4096
        self.loaded: dict[str, object] = {}
        self.wishes: dict[str, object] = {}
        self.sentence: str | Qwen3Error = "It added the two."
        """What `explain` says."""
        self.explained: list[tuple[str, Reply]] = []
        self.conversation = FakeConversation([], ThinkingBudget(budget, given=False))

    def enqueue(self, *parts: Sequence[Step]) -> None:
        """One more turn, made of these parts."""
        self.conversation.turns.append([step for part in parts for step in part])

    def load(self, name: str, **wishes: object) -> FakeLLM:
        """Stands in for `qwen3_mlx.load`."""
        self.loaded = {"name": name, **wishes}
        return self

    def explain(self, question: str, reply: Reply, *, stopped: Callable[[], bool]) -> str:
        """One sentence about a reply."""
        self.explained.append((question, reply))
        if isinstance(self.sentence, Qwen3Error):
            raise self.sentence
        return "" if stopped() else self.sentence

    def chat(self, **wishes: object) -> FakeConversation:
        """The one conversation."""
        self.wishes = wishes
        self.conversation.tools = cast("Sequence[Tool]", wishes.get("tools", ()))
        self.conversation.approve = cast("Callable[[ToolCall], bool]", wishes.get("approve"))
        self.conversation.max_tokens = cast("int | None", wishes.get("max_tokens"))
        if "thinking" in wishes:
            self.conversation.thinking = wishes["thinking"]  # type: ignore[assignment]
        if "system" in wishes:
            self.conversation.system = wishes["system"]  # type: ignore[assignment]
        if "budget" in wishes:
            self.conversation.budget.set(wishes["budget"])  # type: ignore[arg-type]
        return self.conversation


def run(turns: list[list[Step]]) -> None:
    """The command line of this process, with a model that plays these turns and 8 GB of memory."""
    llm = FakeLLM()
    llm.conversation.turns = turns
    vars(qwen3_mlx).update(load=llm.load, __version__="1.2.3")
    vars(memory).update(machine_memory=lambda: 8 * 10**9)
    sys.argv[0] = "qwen3-mlx"
    main()
