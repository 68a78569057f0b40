"""Where the lines of a chat come from: a line editor in a terminal, plain lines from a pipe.

Knows prompt_toolkit, which takes long to import: make the source early, read from it late. Does
not know commands, nor what a key does to the chat.
"""

from __future__ import annotations

import importlib
import re
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Protocol

from qwen3_mlx.cli.files import check_piped, read_piped_line
from qwen3_mlx.cli.filter import clean_line, uncovered
from qwen3_mlx.cli.history import TypedLines
from qwen3_mlx.cli.terminal import PROMPT, Terminal

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer
    from prompt_toolkit.formatted_text import AnyFormattedText
    from prompt_toolkit.history import History
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
    from prompt_toolkit.layout.processors import Processor

QUOTES = '"""'


@dataclass(frozen=True)
class Desk:
    """What the chat has to do with the line that is being edited.

    Attributes:
        toolbar: What stands under it.
        toggle: Turns the thinking on or off.
        show_thoughts: Shows the last ones.
        complete: Words that may stand in place of the last one of the text before the cursor.
    """

    toolbar: Callable[[], str]
    toggle: Callable[[], None]
    show_thoughts: Callable[[], None]
    complete: Callable[[str], Iterable[str]]


class LineSource(Protocol):
    """Gives what a person or a program says, line by line."""

    def read(self, suggestion: str = "", text: str = "") -> str:
        """The next line, or several between triple quotes.

        Args:
            suggestion: An example of what could be said, shown while the line is empty.
            text: What stands on the line to begin with.

        Raises:
            EOFError: there is no more.
            KeyboardInterrupt: Ctrl-C at an empty line.
        """

    def sit_at(self, desk: Desk) -> None:
        """From now on keys and the toolbar belong to a chat."""


def line_source(terminal: Terminal, typed: TypedLines) -> LineSource:
    """The source that fits the terminal; `typed` is what was said before."""
    return LineEditor(typed) if terminal.can_edit else PipedLines(terminal)


class LineEditor:
    """Edits a line with history. Importing it begins in the background, at once."""

    def __init__(self, typed: TypedLines) -> None:
        self._typed = typed
        self._desk: Desk | None = None
        self._session: PromptSession[str] | None = None
        threading.Thread(
            target=importlib.import_module, args=("prompt_toolkit",), daemon=True
        ).start()

    def sit_at(self, desk: Desk) -> None:
        """See `LineSource`."""
        self._desk = desk

    def read(self, suggestion: str = "", text: str = "") -> str:
        """See `LineSource`."""
        if self._session is None:
            self._session = _session(self._typed, self._desk)
        line = self._edited(self._session, suggestion, text)
        self._typed.tell_problem()
        return "" if _dropped(self._session) else unquoted(_without_surrogates(line))

    def _edited(self, session: PromptSession[str], suggestion: str, text: str) -> str:
        """The line as it was typed; nothing if Ctrl-C as a signal came right after Enter."""
        try:
            return session.prompt(
                PROMPT,
                placeholder=lambda: _placeholder(suggestion),
                default=text,
                handle_sigint=False,  # theirs shows a traceback when it comes after Enter
            )
        except KeyboardInterrupt:
            if session.default_buffer.text:
                return ""
            raise


class PipedLines:
    """Reads lines as they come.

    Args:
        terminal: Whose standard input.
    """

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._stdin = terminal.stdin

    def sit_at(self, desk: Desk) -> None:
        """Nothing: a pipe has no keys."""

    def read(self, suggestion: str = "", text: str = "") -> str:  # noqa: ARG002
        """See `LineSource`; what the line should begin with is shown before it.

        Raises:
            UsageError: the input is not UTF-8 text, or too large for a message.
        """
        if text:
            self._terminal.aside(f"to be written anew: {text}")
        self._terminal.prompt()
        line = read_piped_line(self._stdin)
        if not line:
            raise EOFError
        if is_open(line):
            line = self._quoted(line)
        return unquoted(line.removesuffix("\n"))

    def _quoted(self, first: str) -> str:
        """A line that opens triple quotes, and those up to the one that closes them."""
        text = StringIO()
        size = text.write(first)
        while line := read_piped_line(self._stdin):
            size += text.write(line)
            check_piped(size)
            if line.rstrip().endswith(QUOTES):
                break
        return text.getvalue()


def is_open(text: str) -> bool:
    """Whether triple quotes are opened and not closed yet."""
    begun = text.lstrip()
    return begun.startswith(QUOTES) and not begun[len(QUOTES) :].rstrip().endswith(QUOTES)


def unquoted(text: str) -> str:
    """The text between triple quotes, if it stands between them.

    It is a message in any case: a slash at its beginning is doubled, as a person would do it.
    """
    begun = text.strip()
    if not begun.startswith(QUOTES):
        return text
    message = begun.removeprefix(QUOTES).removesuffix(QUOTES).strip("\n")
    return f"/{message}" if message.startswith("/") else message


def _session(typed: TypedLines, desk: Desk | None) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.shortcuts import CompleteStyle

    return PromptSession(
        history=_history(typed),
        key_bindings=_keys(desk),
        multiline=True,
        prompt_continuation="  ",
        enable_open_in_editor=True,
        completer=_completer(desk),
        input_processors=[_uncovering()],
        complete_while_typing=False,
        complete_style=CompleteStyle.READLINE_LIKE,
        bottom_toolbar=desk.toolbar if desk else None,
        reserve_space_for_menu=0,
    )


def _dropped(session: PromptSession[str]) -> bool:
    """Whether Ctrl-C was read together with the Enter before it; it is not for the next line."""
    from prompt_toolkit.input.typeahead import get_typeahead, store_typeahead
    from prompt_toolkit.keys import Keys

    typed = get_typeahead(session.input)
    if any(press.key == Keys.ControlC for press in typed):
        return True
    store_typeahead(session.input, typed)
    return False


def _history(typed: TypedLines) -> History:
    from prompt_toolkit.history import History

    class Typed(History):
        def load_history_strings(self) -> Iterable[str]:
            return reversed(typed.entries)

        def store_string(self, string: str) -> None:
            typed.add(_without_surrogates(string))

    return Typed()


def _uncovering() -> Processor:
    """Shows what else prompt_toolkit does not: it makes control characters visible by itself."""
    from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

    class Uncovering(Processor):
        def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
            fragments = transformation_input.fragments
            return Transformation([(style, uncovered(text)) for style, text, *_ in fragments])

    return Uncovering()


def _completer(desk: Desk | None) -> Completer | None:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    if desk is None:
        return None
    complete = desk.complete

    class Words(Completer):
        def get_completions(
            self,
            document: Document,
            complete_event: CompleteEvent,  # noqa: ARG002
        ) -> Iterable[Completion]:
            text = document.text_before_cursor
            written = len(text) - (text.rfind(" ") + 1)
            return (
                Completion(word, start_position=-written, display=clean_line(word))
                for word in complete(text)
            )

    return Words()


def _keys(desk: Desk | None) -> KeyBindings:
    from prompt_toolkit.application import run_in_terminal
    from prompt_toolkit.key_binding import KeyBindings
    from prompt_toolkit.key_binding.bindings.completion import display_completions_like_readline

    keys = KeyBindings()

    @keys.add("tab")
    def _(event: KeyPressEvent) -> None:
        event.app.erase_when_done = True  # the line and its toolbar are drawn again below the list
        display_completions_like_readline(event)

    @keys.add("c-c")
    def _(event: KeyPressEvent) -> None:
        event.app.erase_when_done = False
        if event.current_buffer.text:
            event.current_buffer.reset()
        else:
            event.app.exit(exception=KeyboardInterrupt, style="class:aborting")

    @keys.add("enter")
    def _(event: KeyPressEvent) -> None:
        event.app.erase_when_done = False
        if is_open(event.current_buffer.text):
            event.current_buffer.insert_text("\n")
        else:
            event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def _(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    if desk is None:
        return keys
    toggle, show_thoughts = desk.toggle, desk.show_thoughts

    @keys.add("c-t")
    def _(event: KeyPressEvent) -> None:
        toggle()
        event.app.invalidate()

    @keys.add("c-o")
    def _(_: KeyPressEvent) -> None:
        run_in_terminal(show_thoughts)

    return keys


def _placeholder(text: str) -> AnyFormattedText:
    from prompt_toolkit.application import get_app

    return [] if get_app().is_done else [("dim", text)]


def _without_surrogates(text: str) -> str:
    """Bytes of a terminal that are no UTF-8, and halves of pairs from a file, become U+FFFD."""
    escaped = re.sub("[\ud800-\udc7f\udd00-\udfff]", "\ufffd", text)
    return escaped.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
