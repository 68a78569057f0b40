"""The commands that let a model answer, and the options of each: `chat` and `ask`.

Knows no more: each command is a module of its own, imported when it is called.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qwen3_mlx.cli.origins import Settled, with_origins
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_options import AllowOption, McpOption, ToolsOption, ToolWishes


@with_origins
def chat(
    settled: Settled,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the last conversation.")
    ] = False,
    keep: Annotated[
        bool,
        typer.Option(
            " /--no-history",
            help="Keep nothing of this chat for the next one.",
            show_default=False,
        ),
    ] = True,
    tools: ToolsOption = None,
    mcp: McpOption = None,
    allow_tools: AllowOption = None,
) -> None:
    """Talk with a model and watch it think."""
    from qwen3_mlx.cli import chat as command

    settings = settled.settings
    terminal = Terminal.of_process(plain=settings.plain, redact=settings.redact or ())
    offered = ToolWishes(tools, mcp, allow_tools)
    code = command.run(
        settings, terminal, resume=resume, keep=keep, tools=offered, flags=settled.flags
    )
    raise typer.Exit(code)


@with_origins
def ask(
    settled: Settled,
    prompt: Annotated[
        str | None,
        typer.Argument(metavar="PROMPT", help="Files and piped input are put before it."),
    ] = None,
    files: Annotated[
        list[Path] | None,
        typer.Option("--file", metavar="PATH", help="Put a text file before it; may be repeated."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the answer.")
    ] = False,
    as_jsonl: Annotated[
        bool, typer.Option("--jsonl", help="Print a line of JSON for each event as it happens.")
    ] = False,
    thinking_to: Annotated[
        Path | None,
        typer.Option("--thinking-to", metavar="FILE", help="Write the thoughts to FILE too."),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Nothing on standard error but errors.")
    ] = False,
    tools: ToolsOption = None,
    mcp: McpOption = None,
    allow_tools: AllowOption = None,
) -> None:
    """Ask one question. The answer alone goes to standard output."""
    from qwen3_mlx.cli import ask as command

    settings = settled.settings
    command.run(
        prompt,
        settings,
        Terminal.of_process(plain=settings.plain, quiet=quiet, redact=settings.redact or ()),
        files=files or (),
        thinking_to=thinking_to,
        form=command.form_of(as_json=as_json, as_jsonl=as_jsonl),
        tools=ToolWishes(tools, mcp, allow_tools),
        flags=settled.flags,
    )
