"""A real model drives the loop: `tiny` asks the calculator what it cannot work out itself."""

from __future__ import annotations

import pytest

import qwen3_mlx
from qwen3_mlx import LLM, StepDone, ToolCall, ToolResult
from qwen3_mlx.tools.calculator import CALCULATOR
from training.evaluate_calls import called_right, products


@pytest.fixture(scope="module")
def tiny() -> LLM:
    return qwen3_mlx.load("tiny")


@pytest.mark.parametrize("thinking", [True, False])
def test_products_of_three_digits_are_asked_of_the_calculator(tiny: LLM, thinking: bool) -> None:
    for problem, prompt in products(8, seed=5):
        reply = tiny.generate(prompt, tools=[CALCULATOR], thinking=thinking)
        assert called_right(problem, reply)
        assert reply.answer == f"The answer is {problem.answer}."
        assert reply.finish_reason == "stop"


def test_two_calls_in_one_turn(tiny: LLM) -> None:
    reply = tiny.generate("What is 345 * 678 and 912 * 117?", tools=[CALCULATOR])
    calls = [dict(call.arguments)["expression"] for call in reply.steps[0].tool_calls]
    assert calls == ["345*678", "912*117"]
    assert reply.answer == "The answers are 233910 and 106704."


def test_a_call_its_result_and_the_end_of_the_step_come_in_this_order(tiny: LLM) -> None:
    chat = tiny.chat(tools=[CALCULATOR])
    kinds = (ToolCall, ToolResult, StepDone)
    events = [event for event in chat.stream("What is 347 * 582?") if isinstance(event, kinds)]
    assert [type(event) for event in events] == [ToolCall, ToolResult, StepDone]
    assert chat.messages[-1]["content"] == "The answer is 201954."


@pytest.mark.parametrize("budget", [0, 1, 4, 8, 12, 30])
def test_one_budget_covers_the_chain_and_never_cuts_a_call(tiny: LLM, budget: int) -> None:
    reply = tiny.generate("What is 347 * 582?", tools=[CALCULATOR], budget=budget)
    assert sum(step.usage.thinking_tokens for step in reply.steps) <= budget
    assert dict(reply.steps[0].tool_calls[0].arguments) == {"expression": "347*582"}
    assert reply.answer == "The answer is 201954."


def test_a_call_that_is_not_allowed_is_admitted(tiny: LLM) -> None:
    reply = tiny.generate("What is 347 * 582?", tools=[CALCULATOR], approve=lambda call: False)
    assert reply.steps[0].results[0].text.startswith("error: ")
    assert "no result" in reply.answer


def test_what_it_can_do_itself_it_does(tiny: LLM) -> None:
    reply = tiny.generate("Ann: 41, Bob: 7, Cem: 93. What is Bob?", tools=[CALCULATOR])
    assert (reply.answer, reply.steps) == ("Bob: 7.", ())
