"""Calling tools: whatever happens inside, a result comes out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from itertools import count
from threading import Event as Flag

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ToolError
from qwen3_mlx.events import ToolCall, ToolResult
from qwen3_mlx.tools import Tool
from qwen3_mlx.tools.coerce import coerced
from qwen3_mlx.tools.run import MOST_CHARACTERS, NOT_ALLOWED, STOPPED, run, shortened


def tool(call: Callable[[Mapping[str, object]], object], seconds: float = 30.0) -> Tool:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    return Tool("t", "", schema, call, seconds)  # type: ignore[arg-type]


def result_of(call: Callable[[Mapping[str, object]], object]) -> tuple[str, bool]:
    result = run([tool(call)], ToolCall("t", {}))
    return result.text, result.failed


def fail(error: BaseException) -> Callable[[object], str]:
    def call(_: object) -> str:
        raise error

    return call


class MuteError(Exception):
    def __str__(self) -> str:
        raise ValueError


def test_a_result_is_passed_on_with_its_time() -> None:
    ticks = count()
    result = run([tool(lambda _: "\x1b[2J ok")], ToolCall("t", {}), clock=lambda: next(ticks))
    assert result == ToolResult("t", "\x1b[2J ok", failed=False, seconds=1)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ToolError("no such city"), "error: no such city"),
        (ValueError("7 is odd"), "error: ValueError: 7 is odd"),
        (KeyError(), "error: KeyError"),
        (SystemExit(3), "error: SystemExit: 3"),
        (KeyboardInterrupt(), "error: KeyboardInterrupt"),
        (MuteError(), "error: the tool failed and could not say why"),
    ],
    ids=repr,
)
def test_errors_are_told(error: BaseException, text: str) -> None:
    assert result_of(fail(error)) == (text, True)


def test_endless_recursion_is_an_error() -> None:
    def call(arguments: Mapping[str, object]) -> str:
        return call(arguments)

    limit = sys.getrecursionlimit()
    text, failed = result_of(call)
    assert (text[:21], failed) == ("error: RecursionError", True)
    assert sys.getrecursionlimit() == limit


def test_what_is_no_text_is_an_error() -> None:
    assert result_of(lambda _: 5) == ("error: TypeError: the tool gave no text but a int", True)


def test_an_unknown_name_is_told_with_those_there_are() -> None:
    result = run([tool(lambda _: "")], ToolCall("u", {}))
    assert result == ToolResult("u", "error: there is no tool u; there are: t", True, 0.0)
    assert run([], ToolCall("u", {})).text.endswith("there are: none")


def test_arguments_are_made_to_fit_the_schema() -> None:
    result = run([tool(lambda given: repr(given["n"]))], ToolCall("t", {"n": "12"}))
    assert result.text == "12"


@pytest.mark.parametrize("allowed", [True, False])
def test_calls_may_need_approval(allowed: bool) -> None:
    made: list[object] = []

    def call(arguments: Mapping[str, object]) -> str:
        made.append(arguments)
        return "ok"

    result = run([tool(call)], ToolCall("t", {"n": 1}), approve=lambda _: allowed)
    assert made == ([{"n": 1}] if allowed else [])
    assert (result.text, result.failed) == (("ok", False) if allowed else (NOT_ALLOWED, True))


def test_nobody_is_asked_about_a_tool_that_is_not_there() -> None:
    asked: list[ToolCall] = []
    run([], ToolCall("u", {}), approve=lambda call: bool(asked.append(call)))  # type: ignore[func-returns-value]
    assert asked == []


@pytest.mark.parametrize("why", ["time", "stop"])
def test_a_tool_that_hangs_is_left_behind(why: str) -> None:
    never = Flag()
    hung = tool(lambda _: str(never.wait()), seconds=0.02 if why == "time" else float("inf"))
    result = run([hung], ToolCall("t", {}), stopped=lambda: why == "stop")
    never.set()
    slow = "error: t took longer than 0.02 seconds"
    assert (result.text, result.failed) == (slow if why == "time" else STOPPED, True)


def test_a_long_result_is_cut_and_says_so() -> None:
    text, _ = result_of(lambda _: "x" * 50_000)
    assert text == "x" * MOST_CHARACTERS + (
        f"\n[cut here: the first {MOST_CHARACTERS} of 50000 characters]"
    )


def test_what_no_file_could_hold_is_replaced() -> None:
    assert shortened("a\ud800b") == "a?b"


@pytest.mark.parametrize(
    ("value", "schema", "result"),
    [
        ("3", {"type": "integer"}, 3),
        ("-3", {"type": "number"}, -3),
        ("2.5e1", {"type": "number"}, 25.0),
        ("infinity", {"type": "number"}, "infinity"),
        ("1e999", {"type": "number"}, "1e999"),
        ("[NaN]", {"type": "array"}, "[NaN]"),
        ("3", {"type": "string"}, "3"),
        ("3", {"type": ["string", "integer"]}, "3"),
        ("3", {"anyOf": [{"type": "null"}, {"type": "integer"}]}, 3),
        ("None", {"anyOf": [{"type": "null"}, {"type": "integer"}]}, None),
        ("FALSE", {"type": "boolean"}, False),
        ("yes", {"type": "boolean"}, "yes"),
        ('[1, "2"]', {"type": "array"}, [1, "2"]),
        ("{'a': 1}", {"type": "object"}, {"a": 1}),
        ("[1]", {"type": "object"}, "[1]"),
        ("[" * 100_000, {"type": "array"}, "[" * 100_000),
        ("9" * 2000, {"type": "integer"}, "9" * 2000),
        (["1"], {"items": {"type": "integer"}}, [1]),
        ({"a": "1"}, {"properties": {"a": {"type": "integer"}}}, {"a": 1}),
        ({"b": "1"}, {"additionalProperties": {"type": "integer"}}, {"b": 1}),
        ({"b": "1"}, {"additionalProperties": True}, {"b": "1"}),
        ("3", {}, "3"),
        ("3", {"type": 7, "anyOf": "x"}, "3"),
        (3, {"type": "string"}, 3),
    ],
    ids=lambda value: str(value)[:40],
)
def test_text_becomes_what_the_schema_wants(value: object, schema: object, result: object) -> None:
    assert coerced(value, schema) == result


@given(st.text(), st.sampled_from(["integer", "number", "boolean", "null", "array", "object"]))
def test_any_text_is_read_or_left(text: str, kind: str) -> None:
    value = coerced(text, {"type": kind})
    assert value == text or not isinstance(value, str)
