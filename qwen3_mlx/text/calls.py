"""A tool call as a model writes it: JSON, or the XML form of the Coder models.

Knows both forms, and what is wrong with a text that is neither. Does not know which tools there
are, nor tags and tokens around a call.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from qwen3_mlx.events import ToolCall
from qwen3_mlx.strict_json import finite_json
from qwen3_mlx.text.repair import repair
from qwen3_mlx.text.xml_call import is_xml_call, parse_xml_call

_SURROGATE = re.compile(r"[\ud800-\udfff]|\\u[dD][89a-fA-F]")
"""Half of a character outside the first 65536, as it is or as JSON spells it."""

MAX_CHARACTERS = 2**19
"""Of one call: as many as some 130,000 tokens have, read in less than half a second."""


@dataclass(frozen=True, slots=True)
class BrokenCall:
    """What was to be a call and cannot be read.

    Attributes:
        text: As the model wrote it, without the tags around it.
        why: What is wrong with it.
    """

    text: str
    why: str


def read_call(text: str, *, repairing: bool = False) -> ToolCall | BrokenCall:
    """The call in `{"name": ..., "arguments": {...}}` or `<function=...>`.

    Args:
        text: What stands between `<tool_call>` and `</tool_call>`.
        repairing: Mend what can mean only one thing.
    """
    if len(text) > MAX_CHARACTERS:
        return BrokenCall(text, f"it has more than {MAX_CHARACTERS} characters")
    if is_xml_call(text):
        call = parse_xml_call(text, repairing=repairing)
        return call or BrokenCall(text, "its <function> and <parameter> tags do not match")
    try:
        return _call(_loads(text, repairing=repairing), repairing=repairing)
    except RecursionError:
        return BrokenCall(text, "it is nested too deeply")
    except ValueError as error:
        return BrokenCall(text, str(error))


def _call(value: object, *, repairing: bool) -> ToolCall:
    """The call that a JSON value is.

    Raises:
        ValueError: It is none; what is wrong.
    """
    if not isinstance(value, dict):
        raise ValueError("it is no JSON object")
    name, arguments = value.get("name"), value.get("arguments", {})
    if isinstance(arguments, str):
        arguments = _loads(arguments, repairing=repairing)
    if not isinstance(name, str) or not name:
        raise ValueError('it has no "name"')
    if not isinstance(arguments, dict):
        raise ValueError('its "arguments" are no JSON object')
    return ToolCall(name, arguments)


def _loads(text: str, *, repairing: bool) -> object:
    mended = repair(text) if repairing else None
    try:
        return _loaded(text if mended is None else mended)
    except ValueError as error:
        raise ValueError(f"it is not valid JSON: {error}") from error


def _loaded(text: str) -> object:
    """The value without halves of surrogate pairs, which JSON can spell and no file can hold."""
    value = finite_json(text)
    if not _SURROGATE.search(text):
        return value
    return json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
