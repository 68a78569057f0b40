"""Function calling: what a model may ask to be called, how it is called, and what it is told.

Knows Python functions as tools, calls and their results, and turns of several steps. Does not know
conversations or screens.
"""

from __future__ import annotations

from qwen3_mlx.tools.schema import tool_of
from qwen3_mlx.tools.tool import Tool

__all__ = ["Tool", "tool_of"]
