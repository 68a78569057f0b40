"""What a command of a chat is, and the chat that it acts on.

Knows words and signatures. Does not know which commands there are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from qwen3_mlx.cli.choices import Show
from qwen3_mlx.cli.terminal import Terminal

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.cli.tool_registry import ToolRegistry
    from qwen3_mlx.events import Reply
    from qwen3_mlx.generation.mode import Thinking


class Session(Protocol):
    """The chat that a command acts on."""

    show: Show
    """How much of the thoughts is shown."""

    own_files: dict[str, str]
    """Absolute paths of what this chat wrote or loaded, and with which command."""

    @property
    def conversation(self) -> Conversation:
        """What was said so far, and how to go on."""

    @property
    def terminal(self) -> Terminal:
        """Where to answer."""

    @property
    def model(self) -> str:
        """The name of what answers."""

    @property
    def tools(self) -> ToolRegistry:
        """The tools that the model is offered, and those that it is not."""

    @property
    def thoughts(self) -> str:
        """What the model thought last, if that may be seen."""

    @property
    def thinks(self) -> Thinking:
        """Whether the next turn thinks, if nothing in its message says otherwise."""

    @property
    def flags(self) -> frozenset[str]:
        """The settings that were given on the command line."""

    @property
    def last_reply(self) -> Reply | None:
        """How it answered last; None once that was taken back."""

    def switch(self, word: str) -> None:
        """Takes `/think` or `/no_think`, as if it stood before the next message."""

    def send(self, text: str) -> None:
        """Says `text` to the model, after what is attached."""

    def send_again(self, text: str, switch: str) -> None:
        """Says `text` again, without what is attached.

        Args:
            text: What was said.
            switch: The word `/think` or `/no_think` in it that counted, empty for none; one that
                was typed since then counts instead.
        """

    def edit(self, text: str) -> None:
        """Puts `text` on the next line, to be changed and sent."""

    def attach(self, text: str) -> None:
        """Puts `text` before the next message."""

    def detach(self) -> None:
        """Puts nothing before the next message."""

    def look_back(self) -> None:
        """Takes the last turn that is left as the last one, for `thoughts` and `last_reply`."""

    def change_model(self, name: str) -> None:
        """Lets another model go on with the conversation."""

    def leave(self) -> None:
        """Ends the chat after this command."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command: `run` gets the session and what stands behind the name.

    Attributes:
        choices: What may stand there, for completion.
        takes: ``"file"`` or ``"model"``: its names complete it.
    """

    name: str
    help: str
    run: Callable[[Session, str], None]
    argument: str = ""
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    takes: Literal["", "file", "model"] = ""
