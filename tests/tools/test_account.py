"""What steps come to together, against sums worked out by hand."""

from __future__ import annotations

from qwen3_mlx.events import Step, StopThinking, Timing, ToolCall, ToolResult, Usage
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.tools.account import whole_reply, whole_timing
from qwen3_mlx.tools.budget import StepBudget

CALL = ToolCall("now", {})
RESULT = ToolResult("now", "12:00", failed=False, seconds=0.1)


def step(
    thinking: str, stop: StopThinking, usage: Usage, *, done: bool, timing: Timing | None = None
) -> Step:
    calls, results = ((), ()) if done else ((CALL,), (RESULT,))
    return Step(thinking, f"after {thinking}", calls, results, stop, usage, timing or Timing())


def test_tokens_add_up_but_for_the_prompt() -> None:
    first = Usage(100, 0, 7, 24, 30, 4, 2, 1)
    second = Usage(150, 140, 5, 0, 10, 6, 3, 0)
    steps = [step("a", "budget", first, done=False), step("", "off", second, done=True)]
    reply = whole_reply(steps, "stop", None)
    assert reply.usage == Usage(150, 140, 12, 24, 40, 10, 5, 1)
    assert (reply.thinking, reply.answer) == ("a", "after ")
    assert (reply.stop_thinking, reply.tool_calls) == ("budget", ())
    assert reply.steps == tuple(steps)


def test_calls_without_a_result_are_still_asked_for() -> None:
    asked = Step("a", "", (CALL, CALL), (RESULT,), "natural", Usage(), Timing())
    assert whole_reply([asked], "user", None).tool_calls == (CALL,)


def test_rates_are_those_of_all_the_time() -> None:
    # 100 tokens in 2 s and 20 in 1 s are 120 in 3 s.
    first = Timing(9.0, 2.5, 2.0, 4.0, 50.0, 10.0, 1000)
    second = Timing(9.0, 1.2, 1.0, 0.0, 20.0, 0.0, 3000)
    assert whole_timing([first, second]) == Timing(9.0, 2.5, 3.0, 4.0, 40.0, 10.0, 3000)
    assert whole_timing([Timing(), Timing()]) == Timing()


def test_what_is_left_of_a_budget_follows_the_whole() -> None:
    whole = ThinkingBudget(10)
    left = StepBudget(whole, used=4, over=False, chosen=None)
    assert (left.limit, left.given, left.auto) == (6, False, None)
    left.set(3)
    assert (whole.limit, left.limit) == (3, 0)
    whole.set(None)
    assert left.limit is None
    left.stop()
    assert whole.stops == left.stops == 1
    assert StepBudget(whole, used=4, over=True, chosen=None).limit == 0


def test_a_budget_that_sets_itself_did_so_in_the_first_step() -> None:
    whole = ThinkingBudget("auto")
    left = StepBudget(whole, used=4, over=False, chosen=32)
    assert (left.limit, left.auto) == (28, None)
    whole.set(10)
    assert left.limit == 6
