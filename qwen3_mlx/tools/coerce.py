"""Arguments as a schema wants them, where a model wrote text in place of a number or the like.

Knows what text stands for without doubt: `"3"` for 3 where a schema wants an integer. Leaves all
else as it is: whoever takes the arguments judges them. Does not know tools or type hints.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping

from qwen3_mlx.strict_json import finite_json
from qwen3_mlx.text.repair import repair

_INTEGER = re.compile(r"[+-]?\d{1,1000}")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_WORDS = {"true": True, "false": False}


def coerced_arguments(
    arguments: Mapping[str, object], parameters: Mapping[str, object]
) -> dict[str, object]:
    """The arguments of a call, each as the schema of all parameters wants it."""
    return {key: coerced(value, _property(parameters, key)) for key, value in arguments.items()}


def coerced(value: object, schema: object) -> object:
    """The value, text in it replaced by what the schema wants, where that is clear."""
    if not isinstance(schema, Mapping):
        return value
    if isinstance(value, str):
        return _from_text(value, [*_types(schema)])
    if isinstance(value, list):
        return [coerced(item, schema.get("items")) for item in value]
    if isinstance(value, dict):
        return {key: coerced(item, _property(schema, key)) for key, item in value.items()}
    return value


def _property(schema: Mapping[str, object], key: str) -> object:
    properties = schema.get("properties")
    if isinstance(properties, Mapping) and key in properties:
        return properties[key]
    return schema.get("additionalProperties")


def _types(schema: Mapping[str, object]) -> Iterator[object]:
    """The types that the schema allows."""
    named = schema.get("type")
    yield from named if isinstance(named, list) else [named]
    parts = schema.get("anyOf")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, Mapping):
            yield from _types(part)


def _from_text(text: str, types: list[object]) -> object:
    if "string" in types:
        return text
    for name in types:
        read = _READERS.get(name) if isinstance(name, str) else None
        try:
            return read(text.strip()) if read else _no_value()
        except ValueError:
            continue
    return text


def _no_value() -> object:
    raise ValueError


def _integer(text: str) -> object:
    return int(text) if _INTEGER.fullmatch(text) else _no_value()


def _number(text: str) -> object:
    if _INTEGER.fullmatch(text):
        return int(text)
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else _no_value()


def _boolean(text: str) -> object:
    return _WORDS[text.lower()] if text.lower() in _WORDS else _no_value()


def _null(text: str) -> object:
    return None if text in {"null", "None"} else _no_value()


def _array(text: str) -> object:
    value = _json(text)
    return value if isinstance(value, list) else _no_value()


def _object(text: str) -> object:
    value = _json(text)
    return value if isinstance(value, dict) else _no_value()


def _json(text: str) -> object:
    try:
        return finite_json(repair(text) or text)
    except RecursionError:
        return None


_READERS: Mapping[str, Callable[[str], object]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
    "array": _array,
    "object": _object,
}
