"""What the steps of a turn share: the budget, `max_tokens`, and how many there may be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import (
    BudgetChosen,
    Done,
    ThinkingDelta,
    ToolResult,
)
from qwen3_mlx.generation.calibration import Calibration
from qwen3_mlx.generation.thinking import CHARACTER_GRACE, AutoBudget, ThinkingBudget
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.tokenizer import Tokenizer
from tests.runtime.tools.chains import (
    ADD,
    BROKEN,
    Begin,
    ChainScript,
    add,
    call,
    contains,
    reply_of,
    results,
)


def test_the_budget_is_for_the_whole_chain(
    chat: Begin, script: ChainScript, tokenizer: Tokenizer
) -> None:
    wanted = [step.usage.thinking_tokens for step in chat(None).send("2 + 3?").steps]
    instruction = tokenizer.encode("Considering the limited time")
    for budget in range(sum(wanted) + 2):
        reply = chat(budget).send("2 + 3?")
        used = [step.usage.thinking_tokens for step in reply.steps]
        first = min(budget, wanted[0])
        assert used == [first, min(budget - first, wanted[1])]
        assert [step.results[0].text for step in reply.steps[:1]] == ["5"]
        assert reply.answer == "It is five."
        assert not any(contains(part, instruction) for part in _calls(script.read, tokenizer))


def _calls(ids: Sequence[int], tokenizer: Tokenizer) -> list[Sequence[int]]:
    """What stands inside tool calls."""
    control = tokenizer.control
    starts = [i for i, token in enumerate(ids) if token == control.tool_call]
    ends = [i for i, token in enumerate(ids) if token == control.end_tool_call]
    return [ids[start:end] for start, end in zip(starts, ends, strict=True)]


def test_each_step_counts_for_itself_against_what_is_left(chat: Begin) -> None:
    thoughts = [e for e in chat(30).stream("2 + 3?") if isinstance(e, ThinkingDelta)]
    seen = [(thought.used, thought.budget) for thought in thoughts]
    second = next(i for i, (used, _) in enumerate(seen) if i and used == 1)
    assert {budget for _, budget in seen[:second]} == {30}
    assert {budget for _, budget in seen[second:]} == {30 - second}


@pytest.mark.parametrize("how", ["stop", "set"])
def test_the_budget_may_be_turned_in_the_first_step_for_all(
    chat: Begin, how: Literal["stop", "set"]
) -> None:
    conversation = chat(None)
    for event in conversation.stream("2 + 3?"):
        if isinstance(event, ThinkingDelta) and event.used == 2:
            conversation.budget.stop() if how == "stop" else conversation.budget.set(2)
        if isinstance(event, Done):
            steps = event.reply.steps
            assert [step.usage.thinking_tokens for step in steps] == [2, 0]
            assert event.reply.stop_thinking == ("user" if how == "stop" else "budget")
    assert conversation.send("2 + 3?").steps[0].thinking[:1] == "I"


def test_max_tokens_is_for_the_whole_chain(chat: Begin) -> None:
    whole = chat(thinking=False).send("2 + 3?")
    first = whole.steps[0].usage.answer_tokens
    for left in (0, 1, 3):
        reply = chat(thinking=False, max_tokens=first + left).send("2 + 3?")
        assert reply.finish_reason == "length"
        assert reply.usage.answer_tokens == first + left
        assert bool(reply.steps) == (left > 0)


def test_a_budget_given_and_max_tokens_agree_in_every_step(chat: Begin) -> None:
    reply = chat(40, max_tokens=127).send("2 + 3?")
    assert (reply.answer, len(reply.steps)) == ("It is five.", 2)


def test_after_max_steps_the_model_cannot_call(chat: Begin, script: ChainScript) -> None:
    script.tell_steps((None, ADD))
    events = list(chat(max_steps=3, thinking=False).stream("Go"))
    assert results(events) == ["5"] * 3
    assert reply_of(events).tool_calls == ()
    with pytest.raises(UsageError, match="max_steps is 0"):
        chat(max_steps=0)


def test_a_budget_that_sets_itself_is_chosen_once_for_all_steps(
    script: ChainScript, make_engine: Callable[..., Any]
) -> None:
    engine = make_engine(script, calibration=Calibration(cap=32, least=8))
    conversation = Conversation(
        engine, budget=ThinkingBudget(AutoBudget(before=False)), tools=[add]
    )
    events = list(conversation.stream("What is 2 + 3?"))
    (chosen,) = (event for event in events if isinstance(event, BudgetChosen))
    budgets = [event.budget for event in events if isinstance(event, ThinkingDelta)]
    first, last = (step.usage.thinking_tokens for step in reply_of(events).steps)
    assert budgets == [32] * first + [32 - first] * last
    assert chosen.limit == 32
    assert reply_of(events).auto is not None


said = st.sampled_from(
    [ADD, BROKEN, f"{ADD}\n{BROKEN}\n{call('fail')}", "It is five.", "", "Hm\n" + ADD]
)
steps = st.lists(st.tuples(st.sampled_from([None, "I add", "So 🙂"]), said), min_size=1, max_size=4)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    steps=steps,
    budget=st.none() | st.integers(0, 12),
    max_tokens=st.none() | st.integers(1, 150),
    stop_after=st.none() | st.integers(0, 60),
)
def test_over_any_chain(
    chat: Begin,
    script: ChainScript,
    steps: list[tuple[str | None, str]],
    budget: int | None,
    max_tokens: int | None,
    stop_after: int | None,
) -> None:
    script.tell_steps(*steps)
    conversation = chat(budget=None, max_steps=4, max_tokens=max_tokens)
    conversation.budget = ThinkingBudget(budget, given=False)
    events = []
    for number, event in enumerate(conversation.stream("Go")):
        events.append(event)
        if number == stop_after:
            conversation.stop()
    reply = reply_of(events)
    usage = reply.usage
    assert budget is None or usage.thinking_tokens <= budget + CHARACTER_GRACE
    total = usage.thinking_tokens + usage.injected_tokens + usage.answer_tokens
    assert max_tokens is None or total <= max_tokens
    assert "".join(e.text for e in events if isinstance(e, ThinkingDelta)) == "".join(
        step.thinking for step in reply.steps or [reply]
    )
    assert [e for e in events if isinstance(e, ToolResult)] == [
        result for step in reply.steps for result in step.results
    ]
    check_order(conversation.messages, stopped=reply.finish_reason == "user")


def check_order(messages: Sequence[Message], *, stopped: bool) -> None:
    """Every call has its result, and where a turn was stopped it is marked."""
    roles = [message["role"] for message in messages]
    assert roles[:2] in ([], ["user", "assistant"])
    for i, message in enumerate(messages):
        calls = len(message.get("tool_calls", ()))
        after = [*roles[i + 1 :], "user"]
        told = next(n for n, role in enumerate(after) if role != "tool")
        assert message["role"] == "tool" or told >= calls
    spoken = [message for message in messages if message["role"] == "assistant"]
    assert [bool(message.get("interrupted")) for message in spoken] == [
        *(False for _ in spoken[1:]),
        *(stopped for _ in spoken[:1]),
    ]
