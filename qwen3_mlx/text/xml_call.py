"""A tool call in the XML form that the Coder models write.

Knows the tags `<function=NAME>` and `<parameter=KEY>`, which are plain text, and that a value is
everything between its tags but one line break at either end. Does not know of what type a value
should be: all are text.
"""

from __future__ import annotations

import re

from qwen3_mlx.events import ToolCall

_OPENING = re.compile(r"\s*<function=([^>\n]+)>")
_CLOSING = re.compile(r"\s*</function>\s*")
_PARAMETER = re.compile(
    r"\s*<parameter=([^>\n]+)>\n?(.*?)\n?</parameter>(?=\s*(?:<parameter=|</function>|\Z))",
    re.DOTALL,
)


def is_xml_call(text: str) -> bool:
    """Whether the text begins like a call in this form."""
    return _OPENING.match(text) is not None


def parse_xml_call(text: str, *, repairing: bool = False) -> ToolCall | None:
    """The call, or None if the text is no whole one.

    Args:
        text: What stands between `<tool_call>` and `</tool_call>`.
        repairing: Do without a missing `</function>`.
    """
    opening = _OPENING.match(text)
    if opening is None:
        return None
    arguments: dict[str, object] = {}
    at = opening.end()
    while parameter := _PARAMETER.match(text, at):
        if parameter[1] in arguments:
            return None
        arguments[parameter[1]] = parameter[2]
        at = parameter.end()
    whole = _CLOSING.fullmatch(text, at) or (repairing and not text[at:].strip())
    return ToolCall(opening[1], arguments) if whole else None
