"""A conversation that has become longer than the context: what a person can do about it.

Knows the choices. Does not know how a turn is played.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.errors import ContextOverflowError

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation

QUESTION = "d drops the oldest turn, n begins anew, y doubles the context (YaRN):", "dny"
ALONE = "y doubles the context (YaRN):", "y"
"""What is asked, and the letters that are understood; the second where nothing can be dropped."""


class Full(Protocol):
    """A chat whose context is full."""

    @property
    def conversation(self) -> Conversation:
        """What was said."""

    @property
    def terminal(self) -> Terminal:
        """Where to ask."""

    def widen(self) -> None:
        """Doubles the context."""


def make_room(chat: Full, error: ContextOverflowError) -> bool:
    """Asks what is to go; whether to try again.

    Raises:
        Qwen3Error: the model cannot be loaded with a longer context.
    """
    chat.terminal.error(error)
    turns = any(message["role"] == "user" for message in chat.conversation.messages)
    choice = chat.terminal.choose(*(QUESTION if turns else ALONE))
    if choice == "d":
        return chat.conversation.drop_oldest()
    if choice == "n":
        chat.conversation.clear()
    if choice == "y":
        chat.widen()
    if choice == "":
        chat.terminal.aside("the question is forgotten")
    return choice != ""
