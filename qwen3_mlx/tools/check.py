"""Values that came as JSON, as type hints want them.

Knows which JSON fits which hint; makes the enumerations and dataclasses that hints name. Does not
know functions or schemas.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from types import NoneType
from typing import Any, get_args, get_origin, is_typeddict

from qwen3_mlx.errors import ToolError
from qwen3_mlx.tools.hints import (
    DICTIONARIES,
    LISTS,
    PLAIN,
    choices_of,
    fields_of,
    has_fields,
    is_union,
)

SHOWN = 60
"""Characters of a wrong value that a message repeats."""

WORDS: Mapping[object, str] = {
    str: "a string",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    NoneType: "null",
}


def checked(value: object, hint: Any, name: str) -> object:
    """The value as the hint wants it.

    Args:
        name: What the value is for, for messages.

    Raises:
        ToolError: the value is of another type.
    """
    kind = get_origin(hint) or hint
    if hint in PLAIN:
        return _plain(value, hint, name)
    if choices := choices_of(hint):
        return _chosen(value, choices, name)
    if is_union(hint):
        return _any_of(value, get_args(hint), name)
    if has_fields(hint):
        return _made(value, hint, name)
    if kind in LISTS:
        return _list(value, get_args(hint), name)
    return _dictionary(value, get_args(hint), name) if kind in DICTIONARIES else value


def checked_fields(
    value: Mapping[str, object], fields: Mapping[str, tuple[Any, bool]], path: str = ""
) -> dict[str, object]:
    """The values of fields that are there, as their hints want them.

    Args:
        fields: The type of each, and whether it must be there.
        path: What the names are written after, in messages.

    Raises:
        ToolError: one is of another type, one that must be there is missing, or there is no such.
    """
    for name in value:
        if name not in fields:
            known = ", ".join(f"{path}{field}" for field in fields) or "none"
            raise ToolError(f"there is no parameter {path}{name}; there are: {known}")
    for name, (_, required) in fields.items():
        if required and name not in value:
            raise ToolError(f"the parameter {path}{name} is missing")
    return {name: checked(item, fields[name][0], f"{path}{name}") for name, item in value.items()}


def _plain(value: object, hint: object, name: str) -> object:
    """Whole numbers are numbers, and numbers without a fraction are whole."""
    if type(value) is hint:
        return value
    if hint is float and type(value) is int and abs(value) <= sys.float_info.max:
        return float(value)
    if hint is int and type(value) is float and value.is_integer():
        return int(value)
    raise _wrong(name, WORDS[hint], value)


def _chosen(value: object, choices: Mapping[object, object], name: str) -> object:
    for choice, meant in choices.items():
        if type(choice) is type(value) and choice == value:
            return meant
    one_of = " or ".join(map(_shown, choices))
    raise _wrong(name, one_of, value)


def _any_of(value: object, hints: tuple[Any, ...], name: str) -> object:
    """The first type that the value fits, null last; an error is that of the first."""
    errors = []
    for hint in sorted(hints, key=lambda hint: hint is NoneType):
        try:
            return checked(value, hint, name)
        except ToolError as error:
            errors.append(error)
    raise errors[0]


def _made(value: object, hint: Any, name: str) -> object:
    fields = checked_fields(_as_object(value, name), fields_of(hint), f"{name}.")
    return fields if is_typeddict(hint) else hint(**fields)


def _list(value: object, args: tuple[Any, ...], name: str) -> object:
    if not isinstance(value, list):
        raise _wrong(name, "a list", value)
    items = enumerate(value)
    return [checked(item, args[0], f"{name}[{i}]") for i, item in items] if args else value


def _dictionary(value: object, args: tuple[Any, ...], name: str) -> object:
    items = _as_object(value, name)
    if not args:
        return items
    return {key: checked(item, args[1], f"{name}.{key}") for key, item in items.items()}


def _as_object(value: object, name: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise _wrong(name, "an object", value)
    return value


def _wrong(name: str, wanted: str, value: object) -> ToolError:
    return ToolError(f"the parameter {name} must be {wanted}, not {_shown(value)}")


def _shown(value: object) -> str:
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except RecursionError:
        return "what is nested so deeply"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
