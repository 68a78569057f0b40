"""Conversations in which tools are offered: when the calculator is asked, and what comes of it.

Knows the tools' descriptions as the runtime writes them, and which problems are worth a call. Does
not know the network.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from training import problems
from training.problems import Problem, is_held_out
from training.wordings import word

HEAD = (
    "# Tools\n\nYou may call one or more functions to assist with the user query.\n\n"
    "You are provided with function signatures within <tools></tools> XML tags:\n<tools>"
)
TAIL = (
    "\n</tools>\n\nFor each function call, return a json object with function name and arguments"
    " within <tool_call></tool_call> XML tags:\n<tool_call>\n"
    '{"name": <function-name>, "arguments": <args-json-object>}\n</tool_call>'
)
FAILURE = "error: "
"""How the result of a call that failed begins."""

ALONE = 0.7  # share of the lists of tools that have the calculator alone
FAILED = 0.05  # share of the calls that fail
PAIRED = 0.12  # share of the problems asked two at a time
KINDS = {"product": 66, "sum": 12, "difference": 8, "largest": 4, "lookup": 7, "other": 3}
CALLED = ("product", "sum", "difference")


def _tool(name: str, description: str, **parameters: str) -> dict[str, object]:
    properties = {key: {"type": "string", "description": said} for key, said in parameters.items()}
    schema = {"type": "object", "properties": properties, "required": list(parameters)}
    function = {"name": name, "description": description, "parameters": schema}
    return {"type": "function", "function": function}


CALCULATOR = _tool(
    "calculator",
    "Work out an arithmetic expression.",
    expression="Numbers with + - * / ** and brackets.",
)
OTHERS = (
    _tool("read_file", "Read a text file.", path="The file, from the folder that may be read."),
    _tool("list_files", "List what is in a folder.", path="The folder; . is the topmost."),
    _tool("current_time", "Tell the date and the time now."),
    _tool("get_weather", "Get the weather of a city.", city="The name of the city."),
    _tool("search", "Search the web.", query="What to look for."),
)


@dataclass(frozen=True)
class Chain:
    """A question that tools answer.

    Attributes:
        calls: The expressions given to the calculator, all in one turn.
        results: What came back, in the same order.
        conclusion: What is thought about the results, one line for each.
        reply: What the assistant says at the end.
    """

    calls: tuple[str, ...]
    results: tuple[str, ...]
    conclusion: tuple[str, ...]
    reply: str


def system_text(tools: list[dict[str, object]]) -> str:
    """The part of the system prompt that offers tools."""
    return HEAD + "".join("\n" + json.dumps(tool) for tool in tools) + TAIL


def offered(rng: random.Random) -> list[dict[str, object]]:
    """The calculator, alone or among others."""
    if rng.random() < ALONE:
        return [CALCULATOR]
    tools = [CALCULATOR, *rng.sample(OTHERS, rng.randint(1, 2))]
    rng.shuffle(tools)
    return tools


def call_text(expression: str) -> str:
    """One call in Qwen3's format."""
    call = {"name": "calculator", "arguments": {"expression": expression}}
    return f"<tool_call>\n{json.dumps(call)}\n</tool_call>"


def results_text(results: tuple[str, ...]) -> str:
    """The turn in which results come back."""
    said = "".join(f"\n<tool_response>\n{result}\n</tool_response>" for result in results)
    return f"<|im_start|>user{said}<|im_end|>\n"


def make_long_product(rng: random.Random, *, held_out: bool) -> Problem:
    """A product that is too long to work out: 3 digits by 2 or 3; the evaluation has 3 by 3."""
    while True:
        low = 100 if held_out or rng.random() < 0.8 else 10
        numbers = (rng.randint(100, 999), rng.randint(low, 999))
        if rng.random() < 0.5:
            numbers = numbers[::-1]
        if is_held_out("product", numbers) == held_out:
            return Problem("product", numbers, (), str(numbers[0] * numbers[1]))


def make_called(kind: str, rng: random.Random, *, held_out: bool) -> Problem:
    """A problem of one of the kinds that are CALLED."""
    if kind == "product" and (held_out or rng.random() < 0.85):
        return make_long_product(rng, held_out=held_out)
    return problems.make(kind, rng, held_out=held_out)


SIGNS = {"product": "*", "sum": "+", "difference": "-"}


def expression_of(problem: Problem) -> str:
    """What the calculator is asked: ``347*582``."""
    return SIGNS[problem.kind].join(map(str, problem.numbers))


def make_chain(kind: str, rng: random.Random, *, held_out: bool) -> tuple[str, Chain]:
    """A prompt and the chain of calls that answers it; sometimes two problems at once."""
    problem = make_called(kind, rng, held_out=held_out)
    if not held_out and rng.random() < PAIRED:
        return _pair(problem, make_called(kind, rng, held_out=held_out), rng)
    prompt = word(problem, rng, held_out=held_out)
    if not held_out and rng.random() < FAILED:
        return prompt, _failed(problem, rng)
    return prompt, _answered(problem)


def _answered(problem: Problem) -> Chain:
    asked = expression_of(problem)
    conclusion = (f"{asked}={problem.answer}",)
    return Chain((asked,), (problem.answer,), conclusion, f"The answer is {problem.answer}.")


def _failed(problem: Problem, rng: random.Random) -> Chain:
    why = rng.choice(("the call was not allowed", "it took too long", "too large", "unknown tool"))
    conclusion = ("The calculator gave no result.",)
    reply = "The calculator gave no result, so I cannot tell."
    return Chain((expression_of(problem),), (FAILURE + why,), conclusion, reply)


PAIRS = (
    "What is {a} and what is {b}?",
    "What are {a} and {b}?",
    "{a} and {b}?",
    "Work out {a} and {b}.",
    "Calculate {a}, then {b}.",
    "I need {a} and {b}.",
)


def _pair(first: Problem, second: Problem, rng: random.Random) -> tuple[str, Chain]:
    both = (first, second)
    calls = tuple(expression_of(p) for p in both)
    space = rng.choice((" ", ""))
    a, b = (SIGNS[p.kind].join((space, space)).join(map(str, p.numbers)) for p in both)
    prompt = rng.choice(PAIRS).format(a=a, b=b)
    results = (first.answer, second.answer)
    lines = tuple(f"{c}={r}" for c, r in zip(calls, results, strict=True))
    return prompt, Chain(calls, results, lines, f"The answers are {results[0]} and {results[1]}.")
