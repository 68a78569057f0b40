"""Python functions as tools: signature, type hints and docstring become a schema.

Knows signatures. What hints mean is in `hints` and `check`, what docstrings say in `docstring`.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeAlias, get_type_hints

from qwen3_mlx.errors import ToolError, UsageError
from qwen3_mlx.tools import docstring
from qwen3_mlx.tools.check import checked_fields
from qwen3_mlx.tools.coerce import coerced_arguments
from qwen3_mlx.tools.hints import schema_of
from qwen3_mlx.tools.tool import SECONDS, Tool

Function: TypeAlias = Callable[..., object]
Fields: TypeAlias = Mapping[str, tuple[Any, bool]]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_SEVERAL: Mapping[object, str] = {
    inspect.Parameter.VAR_POSITIONAL: "*",
    inspect.Parameter.VAR_KEYWORD: "**",
}


def tool_of(function: Function, *, seconds: float = SECONDS) -> Tool:
    """A function as a tool.

    Its name is the function's, its description the first paragraph of the docstring; parameters
    are described as the docstring describes them (in the style of Google, NumPy or Sphinx), typed
    by their hints, and required if they have no default. A call checks its arguments against the
    hints. Text comes back as it is, everything else as JSON.

    Args:
        function: Plain, not `async`; it is called in a thread of its own.
        seconds: Time limit of one call.

    Raises:
        UsageError: a parameter without a hint, `*args` or `**kwargs`, a hint without a JSON
            schema, or no usable name; which.
    """
    name = _name(function)
    if inspect.iscoroutinefunction(function):
        raise UsageError(
            f"{name} is async", hint="Give a plain function, such as one that runs it."
        )
    fields = _fields(function, name)
    text = inspect.getdoc(function) or ""
    parameters = _parameters(name, fields, docstring.parameters(text))

    def call(arguments: Mapping[str, object]) -> str:
        values = checked_fields(coerced_arguments(arguments, parameters), fields)
        return as_text(_call(function, values))

    return Tool(name, docstring.summary(text), parameters, call, seconds)


def tools_of(tools: Sequence[Tool | Function]) -> list[Tool]:
    """Functions and tools as tools.

    Raises:
        UsageError: as for `tool_of`; or two of them have the same name.
    """
    if not isinstance(tools, Sequence):
        raise UsageError("the tools are no list", hint="Put them into one.")
    made = [tool if isinstance(tool, Tool) else tool_of(tool) for tool in tools]
    names = [tool.name for tool in made]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"two tools are called {name}", hint="Give one of them another name.")
    return made


def as_text(result: object) -> str:
    """What a function returned, for a model: text as it is, everything else as JSON.

    Raises:
        ToolError: it cannot be written as JSON.
    """
    if isinstance(result, str):
        return result
    try:
        return json.dumps(result, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ToolError(f"the result cannot be written as JSON: {error}") from error


def _plain(value: object) -> object:
    """What JSON has no word for."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.asdict(value)
    return value.value if isinstance(value, Enum) else str(value)


def _name(function: Function) -> str:
    name = getattr(function, "__name__", None)
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(
            f"{name or function!r:.80} cannot be the name of a tool",
            hint="Define a function with def, or make a qwen3_mlx.tools.Tool.",
        )
    return name


def _fields(function: Function, name: str) -> Fields:
    """The type of each parameter, and whether it must be given."""
    parameters = inspect.signature(function).parameters.values()
    hints = _hints(function, name)
    for parameter in parameters:
        shown = f"{_SEVERAL.get(parameter.kind, '')}{parameter.name}"
        if parameter.kind in _SEVERAL:
            raise UsageError(
                f"{name} takes {shown}, which no schema can describe",
                hint="Give each parameter a name.",
            )
        if parameter.name not in hints:
            raise UsageError(
                f"the parameter {shown} of {name} has no type hint",
                hint=f"Write its type, as {shown}: str.",
            )
    empty = inspect.Parameter.empty
    return {p.name: (hints[p.name], p.default is empty) for p in parameters}


def _hints(function: Function, name: str) -> dict[str, Any]:
    try:
        return get_type_hints(function)
    except (NameError, TypeError) as error:
        raise UsageError(
            f"the type hints of {name} cannot be read: {error}",
            hint="Define the types outside of functions, or import them where they are used.",
        ) from error


def _parameters(name: str, fields: Fields, said: Mapping[str, str]) -> dict[str, object]:
    properties = {}
    for field, (hint, _) in fields.items():
        schema = schema_of(hint, f"the parameter {field} of {name}")
        properties[field] = schema | ({"description": said[field]} if field in said else {})
    required = [field for field, (_, must) in fields.items() if must]
    return {"type": "object", "properties": properties, "required": required}


def _call(function: Function, values: Mapping[str, object]) -> object:
    """Call by name, but for parameters that have only a place."""
    bound = inspect.BoundArguments(inspect.signature(function), dict(values))
    return function(*bound.args, **bound.kwargs)
