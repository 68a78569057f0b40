"""The command about tools: which are offered, where they are from, and turning them on and off.

Knows what it does to a `Session`. Does not know how tools are called.
"""

from __future__ import annotations

from qwen3_mlx.cli.session import Command, Session
from qwen3_mlx.cli.tables import aligned
from qwen3_mlx.cli.tool_registry import Entry
from qwen3_mlx.errors import UsageError

TURNS = {"on": True, "off": False}


def _tools(session: Session, argument: str) -> None:
    word, _, name = argument.partition(" ")
    if word:
        _turn(session, word.lower(), name.strip())
    entries = session.tools.entries
    if not entries:
        session.terminal.aside("no tools are offered: begin the chat with --tools or --mcp")
        return
    for line in aligned([_row(entry) for entry in entries], session.terminal.width):
        session.terminal.say(line)


def _turn(session: Session, word: str, name: str) -> None:
    if word not in TURNS or not name:
        raise UsageError("/tools takes on NAME or off NAME", hint="/tools alone lists them.")
    session.tools.turn(name, on=TURNS[word])
    session.conversation.tools = session.tools.offered


def _row(entry: Entry) -> tuple[str, str, str]:
    """The tool, what it is of, and how it stands."""
    if trouble := entry.trouble():
        return entry.tool.name, entry.source, f"gone: {trouble}"
    if not entry.on:
        return entry.tool.name, entry.source, "off"
    return entry.tool.name, entry.source, "runs unasked" if entry.allowed else "asks first"


COMMANDS = (Command("tools", "list the tools; on or off NAME", _tools, "HOW", (), tuple(TURNS)),)
