"""A conversation that has become longer than the context: what a person can do about it.

Knows the choices. Does not know how a turn is played.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import ContextOverflowError

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation

FEWER = ("d drops the oldest turn", "n begins anew")
"""What can be done where the message alone is short enough."""

NOT_ASKED = "the question was not asked"


class Full(Protocol):
    """A chat whose context is full."""

    @property
    def conversation(self) -> Conversation:
        """What was said."""

    @property
    def terminal(self) -> Terminal:
        """Where to ask."""

    def widen(self, context: int) -> None:
        """Makes the context so many tokens."""


def make_room(chat: Full, text: str, error: ContextOverflowError) -> bool:
    """Asks what is to go, of what would help; whether to try again.

    Args:
        text: The message that was too much.

    Raises:
        Qwen3Error: the model cannot be loaded with a longer context.
    """
    chat.terminal.error(error)
    conversation = chat.conversation
    wider = _wider(conversation, error.tokens)
    turns = any(message["role"] == "user" for message in conversation.messages)
    ways = [*(FEWER if turns and conversation.holds(text) else ())]
    ways += [f"y makes the context {wider} tokens (YaRN)"] if wider else []
    choice = _choice(chat.terminal, ways)
    if choice == "d":
        return conversation.drop_oldest()
    if choice == "n":
        conversation.clear()
    if choice == "y" and wider:
        chat.widen(wider)
    if choice == "":
        chat.terminal.aside(NOT_ASKED)
    return choice != ""


def _choice(terminal: Terminal, ways: Sequence[str]) -> str:
    """The letter that one of the ways begins with; empty for none."""
    if not ways:
        return ""
    return terminal.choose(f"{', '.join(ways)}:", "".join(way[0] for way in ways))


def _wider(conversation: Conversation, tokens: int) -> int | None:
    """The context that is next in size and has room for a prompt; None if the model has none."""
    context = 2 * conversation.context_length
    while context <= tokens:
        context *= 2
    context = min(context, conversation.longest_context)
    return context if context > max(tokens, conversation.context_length) else None
