"""The short lines, word by word."""

from __future__ import annotations

import pytest

from qwen3_mlx.cli import wording
from qwen3_mlx.events import (
    Reply,
    Step,
    StopThinking,
    ThinkingStopped,
    Timing,
    ToolCall,
    ToolResult,
    Usage,
)
from qwen3_mlx.generation.mode import Thinking


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0.0 s"), (3.24, "3.2 s"), (59.9, "59.9 s"), (59.96, "1 min 00 s"), (125, "2 min 05 s")],
)
def test_seconds(value: float, text: str) -> None:
    assert wording.seconds(value) == text


@pytest.mark.parametrize(
    ("reason", "budget", "width", "line"),
    [
        ("natural", 512, None, "thought for 3.2 s · 118 of 512 tokens · stopped by itself"),
        ("budget", 118, 80, "thought for 3.2 s · 118 of 118 tokens · stopped by the budget"),
        ("user", None, 80, "thought for 3.2 s · 118 tokens · stopped by you"),
        ("length", 512, 80, "thought for 3.2 s · 118 of 512 tokens · stopped for lack of room"),
        ("budget", 0, 80, "thought for 3.2 s · 118 tokens · stopped by the budget"),
        ("natural", 512, 57, "thought for 3.2 s · 118 of 512 tokens · stopped by itself"),
        ("natural", 512, 56, "thought 3.2 s · 118/512 · by itself"),
        ("user", None, 40, "thought 3.2 s · 118 tokens · by you"),
    ],
)
def test_what_is_left_of_the_thinking(
    reason: StopThinking, budget: int | None, width: int | None, line: str
) -> None:
    assert wording.thought(ThinkingStopped(reason, 118, 3.21), budget, width) == line


def test_no_room_to_think_is_said_with_the_numbers() -> None:
    why = "it takes 59 tokens, and the reply may have 30"
    assert wording.thought(ThinkingStopped("length", 0, 0.1, why), None) == (
        "no room to think: it takes 59 tokens, and the reply may have 30"
    )


def reply(answer: str = "5", **changes: object) -> Reply:
    fields: dict[str, object] = {
        "thinking": "",
        "tool_calls": (),
        "stop_thinking": "off",
        "finish_reason": "stop",
        "usage": Usage(answer_tokens=1),
        "timing": Timing(first_token_seconds=0.5),
    }
    return Reply(answer, **(fields | changes))  # type: ignore[arg-type]


TOLD = Step(
    thinking="",
    answer="",
    tool_calls=(ToolCall("time", {}),),
    results=(ToolResult("time", "noon", failed=False, seconds=1.0),),
    stop_thinking="off",
    usage=Usage(),
    timing=Timing(),
)


@pytest.mark.parametrize(
    ("given", "line"),
    [
        (reply(), None),
        (reply(finish_reason="user"), "stopped"),
        (
            reply("", finish_reason="user"),
            "stopped before an answer; the question is taken back",
        ),
        (
            reply("", finish_reason="user", steps=(TOLD,)),
            "stopped before an answer; what the tools said is kept",
        ),
        (reply(finish_reason="length"), "cut off: the context is full"),
        (
            reply(
                finish_reason="tool_calls",
                tool_calls=(ToolCall("weather", {}), ToolCall("time", {})),
            ),
            "asked for weather · time; no tools run here",
        ),
    ],
)
def test_how_a_turn_ended(given: Reply, line: str | None) -> None:
    assert wording.ending(given) == line


@pytest.mark.parametrize(
    ("max_tokens", "line"),
    [
        (None, "cut off: the context is full"),
        (10, "cut off: the context is full"),
        (9, "cut off: max_tokens is 9"),
    ],
)
def test_what_cut_a_reply_off(max_tokens: int | None, line: str) -> None:
    used = Usage(thinking_tokens=4, injected_tokens=3, answer_tokens=2)
    cut = reply(finish_reason="length", usage=used)
    assert wording.ending(cut, max_tokens) == line


def test_a_rate_that_is_not_known_is_not_shown() -> None:
    assert wording.statistics(reply()) == "1 token · first token after 0.50 s"


@pytest.mark.parametrize(
    ("thinks", "budget", "room", "text"),
    [
        (True, 512, 2000, "thinks up to 512 tokens"),
        (True, 4096, 2000, "thinks up to 2000 tokens"),
        (True, None, 2000, "thinks without end"),
        (True, 0, 2000, "answers at once (budget 0)"),
        (True, 512, 0, "answers at once (no room to think)"),
        (True, None, 0, "answers at once (no room to think)"),
        (False, 512, 2000, "answers at once"),
        ("auto", 4096, 2000, "thinks up to 2000 tokens, but not to look things up"),
    ],
)
def test_mode(thinks: Thinking, budget: int | None, room: int, text: str) -> None:
    assert wording.mode(thinks=thinks, budget=budget, room=room) == text


@pytest.mark.parametrize(
    ("width", "text"),
    [
        (80, "tiny · thinks up to 512 tokens · context 41 of 2048 (2%)"),
        (40, "tiny · thinks up to 512 tokens · 2% full"),
        (39, "thinks up to 512 tokens · 2% full"),
        (8, "thinks up to 512 tokens · 2% full"),
    ],
)
def test_toolbar(width: int, text: str) -> None:
    mode = wording.mode(thinks=True, budget=512, room=2000)
    assert wording.toolbar("tiny", mode, used=41, context=2048, width=width) == text


def test_toolbar_warns_of_a_context_that_is_nearly_full() -> None:
    said = wording.toolbar("tiny", "answers at once", used=1800, context=2048, width=80)
    assert said.endswith("context 1800 of 2048 (88%) · nearly full")
