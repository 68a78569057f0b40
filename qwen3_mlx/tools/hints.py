"""Type hints as JSON schema.

Knows `str`, `int`, `float`, `bool`, lists, dictionaries, `Literal`, enumerations, unions with and
without `None`, dataclasses and TypedDicts. Does not know functions, docstrings or values.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import (
    Any,
    Literal,
    NotRequired,
    Required,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from qwen3_mlx.errors import UsageError

Schema: TypeAlias = dict[str, object]

PLAIN: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}
LISTS = frozenset({list, Sequence, Iterable})
DICTIONARIES = frozenset({dict, Mapping})
ANYTHING = frozenset({Any, object})
SUPPORTED = (
    "str, int, float, bool, list[...], dict[str, ...], Literal, Enum, X | None, dataclasses and"
    " TypedDicts"
)


def schema_of(hint: Any, name: str) -> Schema:
    """The JSON schema of a type.

    Args:
        hint: A type hint, names resolved.
        name: What has this hint, for messages.

    Raises:
        UsageError: there is no schema for it.
    """
    return _schema(hint, name, ())


def fields_of(hint: Any) -> dict[str, tuple[Any, bool]]:
    """The fields of a dataclass or TypedDict: type, and whether each must be there."""
    hints = get_type_hints(hint)
    if is_typeddict(hint):
        marks = get_type_hints(hint, include_extras=True)
        required = {key for key in hints if _is_required_key(hint, key, get_origin(marks[key]))}
        return {key: (hints[key], key in required) for key in hints}
    fields = [field for field in dataclasses.fields(hint) if field.init]
    return {field.name: (hints[field.name], _is_required(field)) for field in fields}


def choices_of(hint: Any) -> dict[object, object]:
    """The values of a Literal or an enumeration, and what each stands for; none for other types."""
    if get_origin(hint) is Literal:
        return {value: value for value in get_args(hint)}
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {member.value: member for member in hint}
    return {}


def is_union(hint: Any) -> bool:
    """Whether it is several types in one."""
    return get_origin(hint) in {Union, UnionType}


def has_fields(hint: Any) -> bool:
    """Whether it is a dataclass or a TypedDict."""
    return is_typeddict(hint) or (isinstance(hint, type) and dataclasses.is_dataclass(hint))


def _schema(hint: Any, name: str, inside: tuple[Any, ...]) -> Schema:
    if hint in PLAIN:
        return {"type": PLAIN[hint]}
    if hint in ANYTHING:
        return {}
    if choices := choices_of(hint):
        return _choice([*choices], name)
    if is_union(hint):
        return _union([_schema(part, name, inside) for part in get_args(hint)])
    if has_fields(hint) and hint not in inside:
        return _object(hint, name, (*inside, hint))
    return _container(hint, name, inside)


def _container(hint: Any, name: str, inside: tuple[Any, ...]) -> Schema:
    kind, args = get_origin(hint) or hint, get_args(hint)
    if kind in LISTS:
        return {"type": "array", **({"items": _schema(args[0], name, inside)} if args else {})}
    if kind in DICTIONARIES and (not args or args[0] is str):
        values = {"additionalProperties": _schema(args[1], name, inside)} if args else {}
        return {"type": "object", **values}
    raise _unsupported(hint, name)


def _choice(values: Sequence[object], name: str) -> Schema:
    if not all(type(value) in PLAIN for value in values):
        raise _unsupported(values, name)
    types = {PLAIN[type(value)] for value in values}
    return {**({"type": types.pop()} if len(types) == 1 else {}), "enum": list(values)}


def _object(hint: Any, name: str, inside: tuple[Any, ...]) -> Schema:
    fields = fields_of(hint)
    return {
        "type": "object",
        "properties": {
            key: _schema(field, f"{name}.{key}", inside) for key, (field, _) in fields.items()
        },
        "required": [key for key, (_, required) in fields.items() if required],
    }


def _union(schemas: Sequence[Schema]) -> Schema:
    """Types side by side where that is all there is to say, else the schemas."""
    if all(list(schema) == ["type"] for schema in schemas):
        return {"type": [schema["type"] for schema in schemas]}
    return {"anyOf": list(schemas)}


def _is_required_key(hint: Any, key: str, mark: object) -> bool:
    """`__required_keys__` misses the marks of a module that puts its annotations off."""
    return mark is Required or (key in hint.__required_keys__ and mark is not NotRequired)


def _is_required(field: dataclasses.Field[Any]) -> bool:
    missing = dataclasses.MISSING
    return field.default is missing and field.default_factory is missing


def _unsupported(hint: object, name: str) -> UsageError:
    shown = getattr(hint, "__name__", None) or str(hint)
    return UsageError(f"{name} has a type without a JSON schema: {shown}", hint=f"Use {SUPPORTED}.")
