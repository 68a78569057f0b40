"""Where the lines of a chat come from: a line editor in a terminal, plain lines from a pipe.

Knows prompt_toolkit, which takes long to import: make the source early, read from it late.
"""

from __future__ import annotations

import importlib
import threading
from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.cli.terminal import PROMPT, Terminal
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent


class LineSource(Protocol):
    """Gives what a person or a program says, line by line."""

    def read(self, suggestion: str = "") -> str:
        """The next line.

        Args:
            suggestion: An example of what could be said, shown while the line is empty.

        Raises:
            EOFError: there is no more.
            KeyboardInterrupt: Ctrl-C at an empty line.
        """


def line_source(terminal: Terminal) -> LineSource:
    """The source that fits the terminal."""
    edited = terminal.conversational and not terminal.plain
    return LineEditor() if edited else PipedLines(terminal)


class LineEditor:
    """Edits a line with history. Importing it begins in the background, at once."""

    def __init__(self) -> None:
        self._session: PromptSession[str] | None = None
        threading.Thread(
            target=importlib.import_module, args=("prompt_toolkit",), daemon=True
        ).start()

    def read(self, suggestion: str = "") -> str:
        """The next line; see `LineSource`."""
        if self._session is None:
            self._session = _session()
        line = self._session.prompt(PROMPT, placeholder=lambda: _placeholder(suggestion))
        return _without_surrogates(line)


class PipedLines:
    """Reads lines as they come.

    Args:
        terminal: Whose standard input.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._stdin = terminal.stdin
        self._prompt = terminal.prompt

    def read(self, suggestion: str = "") -> str:  # noqa: ARG002
        """The next line; see `LineSource`.

        Raises:
            UsageError: the input is not UTF-8 text.
        """
        self._prompt()
        try:
            line = self._stdin.readline()
        except UnicodeDecodeError as error:
            raise not_text(error) from error
        if not line:
            raise EOFError
        return line.rstrip("\n")


def not_text(error: UnicodeDecodeError) -> UsageError:
    """What to say about piped bytes that are no text."""
    return UsageError(
        f"the piped input is not UTF-8 text: byte 0x{error.object[error.start]:02x}",
        hint="Convert it first, for example with iconv -t UTF-8.",
    )


def _session() -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import InMemoryHistory

    return PromptSession(history=InMemoryHistory(), key_bindings=_keys())


def _keys() -> KeyBindings:
    from prompt_toolkit.key_binding import KeyBindings

    keys = KeyBindings()

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    return keys


def _placeholder(text: str) -> AnyFormattedText:
    from prompt_toolkit.application import get_app

    return [] if get_app().is_done else [("dim", text)]


def _without_surrogates(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
