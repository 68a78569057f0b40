"""`qwen3-mlx chat`: reads a line, lets the model answer, and again.

Knows the loop and what ends it. Lines come from `editor`, turns are shown by `view`, commands are
in `commands`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen3_mlx.cli.commands import is_command, run_command, unescaped
from qwen3_mlx.cli.dial import own_budget
from qwen3_mlx.cli.editor import LineSource, line_source
from qwen3_mlx.cli.interrupt import stop_on_interrupt
from qwen3_mlx.cli.keyboard import listening
from qwen3_mlx.cli.loading import open_conversation, open_model
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.view import Show, TurnView
from qwen3_mlx.cli.welcome import suggestion, welcome
from qwen3_mlx.errors import Qwen3Error

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation

INTERRUPTED = 130


def run(settings: Settings, terminal: Terminal) -> int:
    """Holds a chat. Returns the exit code.

    Raises:
        Qwen3Error: the model cannot be had or loaded, or the input cannot be read.
    """
    lines = line_source(terminal)
    llm = open_model(settings, terminal)
    conversation = open_conversation(llm, settings, terminal)
    welcome(terminal, llm, conversation)
    return Chat(conversation, terminal, lines, suggestion(llm)).run()


class Chat:
    """One chat.

    Args:
        conversation: The model's side.
        terminal: Where answers go.
        lines: Where questions come from.
        suggestion: What could be asked first.
    """

    def __init__(
        self,
        conversation: Conversation,
        terminal: Terminal,
        lines: LineSource,
        suggestion: str = "",
    ) -> None:
        self.conversation = conversation
        self.terminal = terminal
        self.show = Show.WINDOW
        self.thoughts = ""
        """What the model thought last."""
        self._lines = lines
        self._suggestion = suggestion
        self._switches = ""  # typed since the last message that was kept
        self._leaving = False
        self._interrupted = False  # Ctrl-C since the last line: the next one leaves
        self._exit_code = 0

    def run(self) -> int:
        """Goes on until somebody leaves. Returns the exit code."""
        while not self._leaving:
            try:
                line = self._lines.read(self._suggestion)
            except EOFError:
                break
            except KeyboardInterrupt:
                if self._interrupted or not self.terminal.conversational:
                    return INTERRUPTED
                self._warn_of_leaving()
            else:
                self._take(line)
        return self._exit_code

    def leave(self) -> None:
        """Ends the chat after this line."""
        self._leaving = True

    def switch(self, word: str) -> None:
        """Takes `/think` or `/no_think`, as if it stood before the next message."""
        self._switches = word

    def send(self, text: str) -> None:
        """Says `text` to the model and shows what comes back."""
        messages = len(self.conversation.messages)
        typed = f"{self._switches}\n{text}".lstrip("\n")
        events = self.conversation.stream(text, typed=typed)
        with (
            stop_on_interrupt(self.conversation.stop) as presses,
            own_budget(self.conversation) as budget,
            TurnView(self.terminal, show=self.show, budget=budget) as view,
            listening(self.terminal, view.press),
        ):
            self.conversation.on_prefill = view.reading
            self.thoughts = view.play(events).thinking or self.thoughts
        self._interrupted = presses.count > 0
        if len(self.conversation.messages) > messages:
            self._switches = ""

    def _warn_of_leaving(self) -> None:
        self._interrupted = True
        self.terminal.aside("Ctrl-C once more leaves, and so does Ctrl-D")

    def _take(self, line: str) -> None:
        self._interrupted = False
        self._suggestion = ""
        try:
            self._act_on(line)
        except Qwen3Error as error:
            self.terminal.error(error)
            self._exit_code = 0 if self.terminal.conversational else error.exit_code
        if self.terminal.conversational:
            self.terminal.say()

    def _act_on(self, line: str) -> None:
        if is_command(line):
            run_command(line, self)
        elif line.strip():
            self.send(unescaped(line))
