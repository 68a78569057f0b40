"""Arguments of a call as the built-in tools take them.

Knows that a model may leave one out or give it another type. Does not know what they mean.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwen3_mlx.errors import ToolError


def text_argument(arguments: Mapping[str, object], name: str) -> str:
    """The argument of that name; a number counts as its text.

    Raises:
        ToolError: it is not there, or is neither text nor a number.
    """
    value = arguments.get(name)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        missing = "is missing" if value is None else "must be text"
        raise ToolError(f"the argument {name} {missing}")
    return str(value)
