"""What can be said with a slash in a chat: each command a name, a help line and a handler.

Knows the commands and how to find them. What they act on is a `Session`; how lines are read and
answers shown is not known here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.cli import wording
from qwen3_mlx.cli.options import parse_budget
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.view import Show
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation

SLASH = "/"


class Session(Protocol):
    """The chat that a command acts on."""

    @property
    def conversation(self) -> Conversation:
        """What was said so far, and how to go on."""

    @property
    def terminal(self) -> Terminal:
        """Where to answer."""

    show: Show
    """How much of the thoughts is shown."""

    @property
    def thoughts(self) -> str:
        """What the model thought last."""

    def switch(self, word: str) -> None:
        """Takes `/think` or `/no_think`, as if it stood before the next message."""

    def send(self, text: str) -> None:
        """Says `text` to the model."""

    def leave(self) -> None:
        """Ends the chat after this command."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `run` gets the session and what stands behind the name."""

    name: str
    help: str
    run: Callable[[Session, str], None]
    argument: str = ""
    aliases: tuple[str, ...] = ()


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
    near = difflib.get_close_matches(name.lower(), by_name, n=1)
    hint = f"Did you mean /{near[0]}?" if near else "/help lists the commands."
    raise UsageError(
        f"there is no command /{name}",
        hint=f"{hint} To say it to the model, write //{name}.",
    )


def _think(session: Session, message: str) -> None:
    session.conversation.thinking = True  # the command takes a hard `off` back, the word does not
    _switch(session, "/think", "thinks before it answers", message)


def _no_think(session: Session, message: str) -> None:
    _switch(session, "/no_think", "answers at once", message)


def _switch(session: Session, word: str, effect: str, message: str) -> None:
    session.switch(word)
    if message:
        session.send(message)
    else:
        session.terminal.aside(effect)


def _budget(session: Session, argument: str) -> None:
    budget = session.conversation.budget
    if argument:
        budget.set(parse_budget(argument).limit)
    session.terminal.aside(wording.budget(budget.limit))


def _thoughts(session: Session, argument: str) -> None:
    word = argument.lower()
    if word == "last":
        show_last_thoughts(session)
    elif word:
        session.show = _kind_of_show(word)
    if word != "last":
        session.terminal.aside(f"thoughts: {session.show}")


def _kind_of_show(word: str) -> Show:
    try:
        return Show(word)
    except ValueError as error:
        hint = "Give window, full or hidden, or last to read the last ones again."
        raise UsageError(f"{word!r} is no way to show thoughts", hint=hint) from error


def show_last_thoughts(session: Session) -> None:
    """Shows in full what the model thought last."""
    session.terminal.aside(session.thoughts.strip() or "no thoughts yet")


def _clear(session: Session, _argument: str) -> None:
    session.conversation.clear()
    session.terminal.aside("forgotten; the conversation starts anew")


def _help(session: Session, _argument: str) -> None:
    rows = [(f"/{command.name} {command.argument}".strip(), command.help) for command in COMMANDS]
    rows += [("//...", "a message that begins with a slash")]
    rows += [("Ctrl-C", "stop the answer; twice: leave"), ("Ctrl-D", "leave")]
    for name, text in rows:
        session.terminal.say(f"{name:<15}{text}")


def _exit(session: Session, _argument: str) -> None:
    session.leave()


COMMANDS = (
    Command("think", "think before answering", _think),
    Command("no_think", "answer at once", _no_think, aliases=("no-think", "nothink")),
    Command("budget", "think for at most N tokens; none: without end", _budget, "N|none"),
    Command("thoughts", "window, full or hidden; last: read them again", _thoughts, "HOW"),
    Command("clear", "forget the conversation", _clear),
    Command("help", "show this", _help, aliases=("?",)),
    Command("exit", "leave", _exit, aliases=("quit", "q")),
)
