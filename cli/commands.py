"""What can be said with a slash in a chat: all commands, and how one is found.

Knows names and nearest names. What a command does is in `talking`, `keeping`, `tool_commands`.
"""

from __future__ import annotations

import difflib

from qwen3_mlx.cli import keeping, talking, tool_commands
from qwen3_mlx.cli.session import Command, Session
from qwen3_mlx.cli.tables import aligned
from qwen3_mlx.errors import UsageError

SLASH = "/"
KEYS = (
    ("//...", "a message that begins with a slash"),
    ('"""', "begins a message of several lines, and ends it"),
    ("Esc Enter", "a new line in the message"),
    ("Tab, Up", "complete a command; what was typed before"),
    ("y n a", "when a tool is to run: yes, no, always"),
    ("+ - =", "while it thinks: more, less, another budget"),
    ("Space, Esc", "while it thinks: answer now"),
    ("t", "while it answers, when auto chose: the other way, thinking or not"),
    ("Ctrl-T", "think, or answer at once"),
    ("Ctrl-O", "read the last thoughts and calls"),
    ("Ctrl-X Ctrl-E", "write the message in your editor"),
    ("Ctrl-C", "stop the answer; twice: leave"),
    ("Ctrl-D", "leave"),
)

LONGEST_NAME = 80
"""Of a command that there is not: so much of it is looked at."""


def is_command(line: str) -> bool:
    """Whether the line is for us and not for the model."""
    return line.startswith(SLASH) and not line.startswith(SLASH * 2)


def unescaped(line: str) -> str:
    """The line for the model: two slashes at its start stand for one."""
    return line[1:] if line.startswith(SLASH * 2) else line


def run_command(line: str, session: Session) -> None:
    """Runs the command in `line`.

    Raises:
        UsageError: there is no such command, or it was given something it cannot use.
    """
    name, _, argument = line[1:].partition(" ")
    _find(name.strip()).run(session, argument.strip())


def _find(name: str) -> Command:
    by_name = {word: command for command in COMMANDS for word in (command.name, *command.aliases)}
    if name.lower() in by_name:
        return by_name[name.lower()]
    near = difflib.get_close_matches(name.lower()[:LONGEST_NAME], by_name, n=1)
    hint = f"Did you mean /{near[0]}?" if near else "/help lists the commands."
    raise UsageError(
        f"there is no command /{name}",
        hint=f"{hint} To say it to the model, write //{name[:LONGEST_NAME]}.",
    )


def _help(session: Session, _argument: str) -> None:
    rows = [(f"/{command.name} {command.argument}".strip(), command.help) for command in COMMANDS]
    for line in aligned([*rows, *KEYS], session.terminal.width):
        session.terminal.say(line)


def _exit(session: Session, _argument: str) -> None:
    session.leave()


COMMANDS = (
    *talking.COMMANDS,
    *keeping.COMMANDS,
    *tool_commands.COMMANDS,
    Command("help", "show this", _help, aliases=("?",)),
    Command("exit", "leave", _exit, aliases=("quit", "q")),
)
