"""Run Qwen3 on MLX, and see, trust and turn its thinking budget.

The names below are the public API, and so is what :mod:`qwen3_mlx.convert` lists; each is imported
when it is first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.errors import Qwen3Error
    from qwen3_mlx.events import (
        AnswerDelta,
        BudgetChosen,
        Done,
        Reply,
        StepDone,
        ThinkingDelta,
        ThinkingStopped,
        ToolCall,
        ToolResult,
    )
    from qwen3_mlx.generation.thinking import AutoBudget
    from qwen3_mlx.loading import load
    from qwen3_mlx.runtime import LLM
    from qwen3_mlx.tools.tool import Tool

    __version__: str

__all__ = [
    "LLM",
    "AnswerDelta",
    "AutoBudget",
    "BudgetChosen",
    "Conversation",
    "Done",
    "Qwen3Error",
    "Reply",
    "StepDone",
    "ThinkingDelta",
    "ThinkingStopped",
    "Tool",
    "ToolCall",
    "ToolResult",
    "__version__",
    "load",
]

_HOMES = {
    "LLM": "runtime",
    "AnswerDelta": "events",
    "AutoBudget": "generation.thinking",
    "BudgetChosen": "events",
    "Conversation": "chat",
    "Done": "events",
    "Qwen3Error": "errors",
    "Reply": "events",
    "StepDone": "events",
    "ThinkingDelta": "events",
    "ThinkingStopped": "events",
    "Tool": "tools.tool",
    "ToolCall": "events",
    "ToolResult": "events",
    "load": "loading",
}
_PACKAGES = {"convert"}  # with a public API of their own


if not TYPE_CHECKING:  # so that type checkers still know which names there are

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value: object = _version()
        elif name in _HOMES:
            value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        elif name in _PACKAGES:
            value = import_module(f"{__name__}.{name}")
        else:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        globals()[name] = value
        return value


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("qwen3-mlx")
    except PackageNotFoundError:  # run from a clone that was never installed
        return "0+unknown"


def __dir__() -> list[str]:
    return sorted(__all__)
