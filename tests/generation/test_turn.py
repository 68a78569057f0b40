"""A whole turn over a scripted model: the events a person sees, and that the counts agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.events import AnswerDelta, Event, ThinkingDelta, ThinkingStopped, ToolCall
from qwen3_mlx.generation.limits import ANSWER_RESERVE, thinking_room
from qwen3_mlx.generation.prompt import instruction_ids
from qwen3_mlx.generation.steps import TokenSource
from qwen3_mlx.generation.stopwatch import Stopwatch
from qwen3_mlx.generation.thinking import OwnAllowance, Tags, ThinkingBudget, ThinkingGate
from qwen3_mlx.generation.turn import Room, Turn
from qwen3_mlx.text.parser import ReplyParser
from qwen3_mlx.text.pieces import split
from qwen3_mlx.text.renderer import Block
from qwen3_mlx.text.tokenizer import Tokenizer

STOP = "Time is up."
CONTEXT = 10_000


@dataclass
class Stage:
    """Where scripted turns are played; every byte of text is one token."""

    tokenizer: Tokenizer
    scripted: Callable[[Iterable[int]], TokenSource]

    def ids(self, text: str) -> list[int]:
        """The ids of a script, control tokens written by name."""
        return self.tokenizer.encode_pieces(split(text, self.tokenizer.controls.keys()))

    @property
    def instruction(self) -> list[int]:
        return instruction_ids(STOP, self.tokenizer)

    def turn(
        self,
        budget: ThinkingBudget,
        block: Block = "absent",
        max_tokens: int | None = None,
        context_left: int = CONTEXT,
        stopped: Callable[[], bool] = lambda: False,
    ) -> Turn:
        control, tokenizer = self.tokenizer.control, self.tokenizer
        gate = ThinkingGate(
            Tags(
                think=control.think,
                end_think=control.end_think,
                tool_call=control.tool_call,
                ends=tokenizer.eos_ids,
                is_control=tokenizer.is_control,
            ),
            OwnAllowance(budget),
            block=block,
            instruction=self.instruction,
            text=tokenizer.stream_decoder(),
            room=thinking_room(context_left, len(self.instruction), max_tokens),
        )
        return Turn(
            gate,
            ReplyParser(tokenizer, block),
            room=Room(context_left, max_tokens),
            stopped=stopped,
            watch=Stopwatch(lambda: 0.0),
        )

    def play(
        self,
        script: str | Iterable[int],
        budget: int | None = None,
        block: Block = "absent",
        max_tokens: int | None = None,
        context_left: int = CONTEXT,
    ) -> Told:
        ids = self.ids(script) if isinstance(script, str) else script
        turn = self.turn(ThinkingBudget(budget), block, max_tokens, context_left)
        return Told(turn, list(turn.run(self.scripted(ids))))


@dataclass
class Told:
    """A turn that has been played, and what it told."""

    turn: Turn
    events: list[Event]

    @property
    def thoughts(self) -> list[ThinkingDelta]:
        return [event for event in self.events if isinstance(event, ThinkingDelta)]

    @property
    def stops(self) -> list[ThinkingStopped]:
        return [event for event in self.events if isinstance(event, ThinkingStopped)]

    @property
    def thinking(self) -> str:
        return "".join(event.text for event in self.thoughts)

    @property
    def answer(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, AnswerDelta))


@pytest.fixture(scope="session")
def stage(byte_tokenizer: Tokenizer, scripted: Callable[[Iterable[int]], TokenSource]) -> Stage:
    return Stage(byte_tokenizer, scripted)


def test_thoughts_then_their_end_then_the_answer(stage: Stage) -> None:
    told = stage.play("<think>\nab\n</think>\n\nfive<|im_end|>", budget=10)
    assert told.events == [
        ThinkingDelta("", 1, 10),
        ThinkingDelta("a", 2, 10),
        ThinkingDelta("b", 3, 10),
        ThinkingDelta("", 4, 10),
        ThinkingStopped("natural", 4, 0.0),
        *[AnswerDelta(char) for char in "five"],
    ]
    assert told.turn.finish_reason == "stop"
    assert told.turn.answer_tokens == len("\n\nfive")


def test_at_the_budget_the_answer_follows_and_the_instruction_is_not_shown(stage: Stage) -> None:
    told = stage.play("<think>\n123five<|im_end|>", budget=4)
    assert (told.thinking, told.answer) == ("123", "five")
    assert told.stops == [ThinkingStopped("budget", 4, 0.0)]
    assert told.turn.gate.injected_tokens == len(stage.instruction)
    assert told.turn.thinking == "123"


def test_without_a_block_there_is_only_an_answer(stage: Stage) -> None:
    told = stage.play("five<|im_end|>", budget=4)
    assert told.events == [AnswerDelta(char) for char in "five"]
    assert told.turn.gate.stop_thinking == "off"


def test_a_block_that_the_prompt_opened(stage: Stage) -> None:
    told = stage.play("ab</think>\n\nfive<|im_end|>", budget=9, block="open")
    assert (told.thinking, told.answer) == ("ab", "five")


def test_characters_are_shown_whole_also_at_the_budget(stage: Stage) -> None:
    told = stage.play("<think>é🙂🙂 five<|im_end|>", budget=3)
    assert [event.text for event in told.thoughts] == ["", "é", "", "", "", "🙂"]
    assert told.turn.gate.thinking_tokens == 6


def test_a_tool_call_in_the_thoughts_ends_them(stage: Stage) -> None:
    told = stage.play('<think>hm<tool_call>{"name": "now"}</tool_call><|im_end|>')
    assert told.events[-2:] == [ThinkingStopped("natural", 2, 0.0), ToolCall("now", {})]
    assert told.turn.finish_reason == "tool_calls"
    assert told.turn.tool_calls == [ToolCall("now", {})]


CALL_IN_THOUGHTS = '<think>hm<tool_call>{"name": "now"}</tool_call><|im_end|>'


@pytest.mark.parametrize("budget", range(1, 8))
def test_no_budget_tears_a_call_apart(stage: Stage, budget: int) -> None:
    told = stage.play(CALL_IN_THOUGHTS, budget)
    assert told.thinking + told.answer == "hm"
    assert told.turn.tool_calls == [ToolCall("now", {})]
    assert told.turn.gate.injected_tokens == (len(stage.instruction) if budget <= 2 else 0)


@pytest.mark.parametrize("place", range(20))
def test_no_stop_of_the_thinking_tears_a_call_apart(stage: Stage, place: int) -> None:
    budget = ThinkingBudget(None)

    def said() -> Iterator[int]:
        for i, token in enumerate(stage.ids(CALL_IN_THOUGHTS)):
            if i == place:
                budget.stop()
            yield token

    turn = stage.turn(budget)
    list(turn.run(stage.scripted(said())))
    # A token that was sampled when the thinking ends is dropped: it may be the opening tag.
    expected = [] if place == len("-hm") else [ToolCall("now", {})]
    assert turn.tool_calls == expected


@pytest.mark.parametrize("answer", ["five\n", 'So: <tool_call>\n{"name": "now"', "five \ufffd"])
def test_what_was_held_back_is_told_at_the_end(stage: Stage, answer: str) -> None:
    half = [*stage.ids(answer.rstrip("\ufffd")), *stage.tokenizer.encode("🙂")[:3]]
    told = stage.play(half if "\ufffd" in answer else answer + "<|im_end|>", block="closed")
    assert (told.answer, told.turn.answer) == (answer, answer)
    assert told.turn.tool_calls == []


def test_max_tokens_ends_the_answer(stage: Stage) -> None:
    told = stage.play("five hundred<|im_end|>", block="closed", max_tokens=4)
    assert (told.answer, told.turn.finish_reason) == ("five", "length")
    assert told.turn.answer_tokens == 4


def test_max_tokens_counts_thoughts_and_injected_text(stage: Stage) -> None:
    script = chain(stage.ids("<think>"), repeat(stage.ids("x")[0]))
    told = stage.play(script, budget=10, max_tokens=100)
    assert told.turn.gate.thinking_tokens == 10
    assert len(told.answer) == 100 - 10 - len(stage.instruction)


def test_thinking_leaves_the_reserve_of_max_tokens_to_the_answer(stage: Stage) -> None:
    script = chain(stage.ids("<think>"), repeat(stage.ids("x")[0]))
    told = stage.play(script, budget=None, max_tokens=100)
    assert told.stops[0].reason == "length"
    assert len(told.answer) == ANSWER_RESERVE
    assert len(told.thoughts) == 100 - ANSWER_RESERVE - len(stage.instruction)


def test_the_context_is_never_passed(stage: Stage) -> None:
    script = chain(stage.ids("<think>"), repeat(stage.ids("x")[0]))
    told = stage.play(script, budget=None, context_left=90)
    tokens = told.turn.gate.thinking_tokens + told.turn.gate.injected_tokens
    opening_tag = 1
    assert opening_tag + tokens + told.turn.answer_tokens == 90
    assert len(told.answer) > ANSWER_RESERVE
    assert told.turn.finish_reason == "length"


def test_a_stop_ends_the_turn_without_another_token(stage: Stage) -> None:
    turn = stage.turn(ThinkingBudget(None), stopped=lambda: turn.thinking == "ab")
    events = list(turn.run(stage.scripted(stage.ids("<think>abc</think>five<|im_end|>"))))
    assert events[-1] == ThinkingStopped("user", 2, 0.0)
    assert (turn.finish_reason, turn.thinking, turn.answer) == ("user", "ab", "")


def test_a_stop_in_the_answer_keeps_what_was_said(stage: Stage) -> None:
    turn = stage.turn(ThinkingBudget(None), stopped=lambda: turn.answer == "fiv")
    list(turn.run(stage.scripted(stage.ids("<think>a</think>five<|im_end|>"))))
    assert (turn.finish_reason, turn.answer) == ("user", "fiv")
    assert turn.gate.stop_thinking == "natural"


def test_turning_the_budget_between_events_holds_at_once(stage: Stage) -> None:
    budget = ThinkingBudget(None)
    turn = stage.turn(budget)
    script = chain(stage.ids("<think>" + "x" * 50), stage.ids("five<|im_end|>"))
    shown = 0
    for event in turn.run(stage.scripted(script)):
        if isinstance(event, ThinkingDelta):
            shown = event.used
            if shown == 7:
                budget.set(5)
    assert shown == 7
    assert turn.gate.stop_thinking == "budget"


byte, control = st.integers(0, 255), st.integers(256, 262)
scripts = st.lists(byte | control, max_size=120)


@settings(max_examples=1500, deadline=None)
@given(
    script=scripts,
    budget=st.none() | st.integers(1, 30),
    block=st.sampled_from(["absent", "open", "closed"]),
    max_tokens=st.none() | st.integers(70, 150),
)
def test_over_any_stream(
    stage: Stage, script: Sequence[int], budget: int | None, block: Block, max_tokens: int | None
) -> None:
    told = stage.play(script, budget, block, max_tokens)
    turn, gate = told.turn, told.turn.gate
    assert [event.used for event in told.thoughts] == list(range(1, gate.thinking_tokens + 1))
    assert budget is None or gate.thinking_tokens <= budget + 3
    assert gate.injected_tokens in {0, len(stage.instruction)}
    assert (turn.thinking, turn.answer) == (told.thinking, told.answer)
    assert STOP not in told.thinking + told.answer
    assert len(told.stops) == (gate.stop_thinking != "off")
    assert not told.stops or told.stops[0].thinking_tokens == gate.thinking_tokens
    total = gate.thinking_tokens + gate.injected_tokens + turn.answer_tokens
    assert max_tokens is None or total <= max_tokens
    assert kinds(told.events) == sorted(kinds(told.events))


def kinds(events: Iterable[Event]) -> list[int]:
    """Thoughts are told first, then that they stopped, then the answer and its calls."""
    order = {ThinkingDelta: 0, ThinkingStopped: 1}
    return [order.get(type(event), 2) for event in events]


@settings(max_examples=300, deadline=None)
@given(budget=st.integers(1, 200), block=st.sampled_from(["absent", "open"]))
def test_ascii_that_would_go_on_gets_exactly_its_budget(
    stage: Stage, budget: int, block: Block
) -> None:
    opening = "<think>" if block == "absent" else ""
    told = stage.play(stage.ids(opening + "x" * (budget + 4) + "<|im_end|>"), budget, block)
    assert told.thinking == "x" * budget
    assert told.answer == "xxxx"
    assert told.stops == [ThinkingStopped("budget", budget, 0.0)]
