"""Functions as tools: what the model is told of them, and what their calls accept."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NotRequired, TypedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ToolError, UsageError
from qwen3_mlx.tools import Tool, tool_of
from qwen3_mlx.tools.schema import tools_of


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Point:
    x: int
    y: float = 2.0
    tags: list[str] = field(default_factory=list)


class Place(TypedDict):
    city: str
    zip: NotRequired[int]


@dataclass
class Tree:
    children: list[Tree]


def weather(city: str, days: int = 1) -> str:
    """Tell the weather
    of a city.

    Only of the next days.

    Args:
        city: Its name,
            in English.
        days (int): How many.
    """
    return f"{city}: rain for {days} days"


def test_a_function_is_described_by_what_is_written_of_it() -> None:
    tool = tool_of(weather)
    function = {
        "name": "weather",
        "description": "Tell the weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Its name, in English."},
                "days": {"type": "integer", "description": "How many."},
            },
            "required": ["city"],
        },
    }
    assert tool.schema == {"type": "function", "function": function}
    assert list(tool.schema["function"]) == ["name", "description", "parameters"]  # type: ignore[call-overload]
    assert tool.call({"city": "Bonn"}) == "Bonn: rain for 1 days"


def of_type(hint: Any) -> Callable[..., object]:
    def echo(value: object) -> object:
        return value

    echo.__annotations__ = {"value": hint}
    return echo


TEXTS = {"type": "array", "items": {"type": "string"}}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "number"}, "tags": TEXTS},
    "required": ["x"],
}
PLACE = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "zip": {"type": "integer"}},
    "required": ["city"],
}


@pytest.mark.parametrize(
    ("hint", "schema"),
    [
        (str, {"type": "string"}),
        (float, {"type": "number"}),
        (bool, {"type": "boolean"}),
        (list, {"type": "array"}),
        (list[str], TEXTS),
        (Sequence[str], TEXTS),
        (dict, {"type": "object"}),
        (dict[str, int], {"type": "object", "additionalProperties": {"type": "integer"}}),
        (Mapping[str, Any], {"type": "object", "additionalProperties": {}}),
        (Literal["a", "b"], {"type": "string", "enum": ["a", "b"]}),
        (Literal["a", 1], {"enum": ["a", 1]}),
        (Colour, {"type": "string", "enum": ["red", "blue"]}),
        (int | None, {"type": ["integer", "null"]}),
        (list[str] | None, {"anyOf": [TEXTS, {"type": "null"}]}),
        (Point, POINT),
        (Place, PLACE),
    ],
    ids=str,
)
def test_type_hints_become_schemas(hint: Any, schema: object) -> None:
    properties = tool_of(of_type(hint)).parameters["properties"]
    assert properties == {"value": schema}


@pytest.mark.parametrize(
    ("hint", "given", "result"),
    [
        (int, "3", "3"),
        (int, 3.0, "3"),
        (int, True, None),
        (int, 3.5, None),
        (int, "three", None),
        (float, 3, "3.0"),
        (float, " 2.5", "2.5"),
        (float, "nan", None),
        (float, 10**400, None),
        (float, {"a": [[[]]]}, None),
        (bool, "True", "true"),
        (bool, 1, None),
        (str, "3", "3"),
        (str, 3, None),
        (list[int], ["1", 2], "[1, 2]"),
        (list[int], "[1, 2]", "[1, 2]"),
        (list[int], 1, None),
        (dict[str, float], {"a": 1}, '{"a": 1.0}'),
        (dict[str, int], {"a": "x"}, None),
        (Literal["a", 1], 1, "1"),
        (Literal["a", 1], True, None),
        (Colour, "red", '"red"'),
        (Colour, "green", None),
        (int | None, None, "null"),
        (int | None, "null", "null"),
        (int | None, "7", "7"),
        (int | str, "7", "7"),
        (int | None, "x", None),
        (Point, {"x": "1"}, '{"x": 1, "y": 2.0, "tags": []}'),
        (Point, {"y": 1}, None),
        (Point, {"x": 1, "z": 1}, None),
        (Place, {"city": "Bonn"}, '{"city": "Bonn"}'),
        (Place, "Bonn", None),
        (Any, {"a": ["b"]}, '{"a": ["b"]}'),
    ],
    ids=str,
)
def test_values_are_made_to_fit_or_refused(hint: Any, given: object, result: str | None) -> None:
    tool = tool_of(of_type(hint))
    if result is None:
        with pytest.raises(ToolError, match="parameter value"):
            tool.call({"value": given})
    else:
        assert tool.call({"value": given}) == result


def test_functions_get_what_their_hints_say() -> None:
    seen: list[object] = []

    def take(colour: Colour, point: Point) -> None:
        seen.extend([colour, point])

    take.__annotations__ = {"colour": Colour, "point": Point}
    assert tool_of(take).call({"colour": "blue", "point": {"x": 1}}) == "null"
    assert seen == [Colour.BLUE, Point(1)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "the parameter city is missing"),
        ({"city": "Bonn", "day": 1}, "there is no parameter day; there are: city, days"),
        ({"city": "Bonn", "days": "x"}, 'the parameter days must be a whole number, not "x"'),
        ({"city": ["x" * 99]}, f'the parameter city must be a string, not ["{"x" * 58}…'),
    ],
)
def test_the_model_is_told_what_is_wrong(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ToolError) as error:
        tool_of(weather).call(arguments)
    assert error.value.message == message


def test_results_are_text_or_json() -> None:
    def results(which: str) -> object:
        loop: list[object] = []
        loop.append(loop)
        return {"text": "é", "json": {"é": (1, None)}, "other": {1j}, "loop": loop}[which]

    tool = tool_of(results)
    assert tool.call({"which": "text"}) == "é"
    assert tool.call({"which": "json"}) == '{"é": [1, null]}'
    assert tool.call({"which": "other"}) == '"{1j}"'
    with pytest.raises(ToolError, match="cannot be written as JSON"):
        tool.call({"which": "loop"})


def test_parameters_by_place_and_by_name_are_given_theirs() -> None:
    def show(a: int, /, b: int = 2, *, c: int) -> str:
        return f"{a} {b} {c}"

    assert tool_of(show).call({"c": 3, "a": 1}) == "1 2 3"


def test_methods_are_functions_without_self() -> None:
    class Shop:
        def price(self, item: str) -> str:
            """Tell a price."""
            return f"{item}: 3"

    assert tool_of(Shop().price).call({"item": "tea"}) == "tea: 3"


def no_hint(a: int, b: int) -> None: ...
def several(*numbers: int) -> None: ...
def named(**numbers: int) -> None: ...
def complex_number(z: complex) -> None: ...
def numbered(a: dict[int, str]) -> None: ...
def tree(root: Tree) -> None: ...
def unknown(a: int) -> None: ...
async def later(a: int) -> None: ...


del no_hint.__annotations__["a"]
unknown.__annotations__["a"] = "Missing"


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (no_hint, "the parameter a of no_hint has no type hint"),
        (several, r"several takes \*numbers"),
        (named, r"named takes \*\*numbers"),
        (complex_number, "the parameter z of complex_number has a type without .*: complex"),
        (numbered, "the parameter a of numbered has a type without"),
        (tree, "the parameter root of tree.children has a type without .*: Tree"),
        (unknown, "the type hints of unknown cannot be read"),
        (later, "later is async"),
        (lambda: None, "'<lambda>' cannot be the name"),
        (functools.partial(weather, "Bonn"), "cannot be the name of a tool"),
    ],
)
def test_what_cannot_be_a_tool_is_refused_by_name(
    function: Callable[..., object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        tool_of(function)


def test_two_tools_may_not_have_one_name() -> None:
    tool = Tool("weather", "", {"type": "object"}, lambda _: "")
    assert tools_of([tool]) == [tool]
    with pytest.raises(UsageError, match="two tools are called weather"):
        tools_of([weather, tool])


@given(st.dictionaries(st.text(), st.recursive(st.none() | st.text(), st.lists), max_size=3))
def test_arguments_that_do_not_fit_are_refused_in_words(arguments: dict[str, object]) -> None:
    with pytest.raises(ToolError, match="parameter"):
        tool_of(weather).call({**arguments, "city": 1})
