"""The calculator: a tool that works out an arithmetic expression.

Knows how the tool is described to a model. Does not know how expressions are read.
"""

from __future__ import annotations

from collections.abc import Mapping

from qwen3_mlx.tools.arguments import text_argument
from qwen3_mlx.tools.arithmetic import shown
from qwen3_mlx.tools.expression import evaluate
from qwen3_mlx.tools.tool import Tool


def calculate(expression: str) -> str:
    """The value of an arithmetic expression as people write it.

    Raises:
        ToolError: it cannot be read or worked out; what is wrong, and where.
    """
    return shown(evaluate(expression))


def _call(arguments: Mapping[str, object]) -> str:
    return calculate(text_argument(arguments, "expression"))


CALCULATOR = Tool(
    name="calculator",
    description="Work out an arithmetic expression.",
    parameters={
        "type": "object",
        "properties": {
            "expression": {
                "type": "string",
                "description": "Numbers with + - * / ** and brackets.",
            }
        },
        "required": ["expression"],
    },
    call=_call,
)
