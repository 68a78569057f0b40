"""The options that offer tools to a model: `--tools`, `--mcp` and `--allow-tools`.

Knows what a person may write. Starts nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeAlias

import typer

from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from qwen3_mlx.tools.tool import Tool

TOOLS = ("calculator", "files", "time")
ALL = "all"

ToolsOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--tools",
        metavar="NAMES",
        help="Offer calculator, files (of this folder, or files=FOLDER) or time; commas between.",
    ),
]
McpOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--mcp", metavar="FILE", help='Offer the tools of the MCP servers in FILE ("mcpServers").'
    ),
]
AllowOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--allow-tools",
        metavar="all|NAMES",
        help="Do not ask before calls of these: tools, or what they are of.",
    ),
]


@dataclass(frozen=True, slots=True)
class ToolWishes:
    """What a person gave for these options."""

    tools: str | None = None
    mcp: Path | None = None
    allow: str | None = None


NO_TOOLS = ToolWishes()


def names_in(text: str | None) -> list[str]:
    """The names in a list with commas."""
    return [name for part in (text or "").split(",") if (name := part.strip())]


def built_in(text: str | None) -> list[tuple[str, Tool]]:
    """The tools that `--tools` names, each with the name that it belongs to.

    Raises:
        UsageError: there is no such tool, one is named twice, or the folder is none.
    """
    made: list[tuple[str, Tool]] = []
    for word in names_in(text):
        name = word.partition("=")[0]
        if name in {source for source, _ in made}:
            raise UsageError(f"--tools names {name} twice")
        made += [(name, tool) for tool in _tools(word)]
    return made


def _tools(word: str) -> Sequence[Tool]:
    """The tools that a word of `--tools` stands for."""
    if word == "calculator":
        from qwen3_mlx.tools.calculator import CALCULATOR

        return [CALCULATOR]
    if word == "time":
        from qwen3_mlx.tools.clock import clock_tool

        return [clock_tool()]
    name, _, folder = word.partition("=")
    if name == "files":
        from qwen3_mlx.tools.files import file_tools

        return file_tools(Path(folder or "."))
    raise UsageError(
        f"there is no tool {word!r}",
        hint=f"There are {', '.join(TOOLS)}; files=FOLDER reads another folder than this one.",
    )
