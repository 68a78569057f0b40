"""The three streams of the process, and what may be done with them.

Knows which streams are terminals, filters everything that goes out, and keeps the roles apart:
standard output carries answers alone, everything else goes to standard error. Off a terminal (or
on a dumb one) it writes no escape codes. Knows nothing of models.
"""

from __future__ import annotations

import base64
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TextIO

from qwen3_mlx.cli.filter import DisplayFilter, clean
from qwen3_mlx.cli.redact import Redaction
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from qwen3_mlx.errors import Qwen3Error

PROMPT = "› "
_DUMB = {"", "dumb", "unknown"}


class Terminal:
    """Standard input, output and error of one run.

    Args:
        stdin: Where a person or a program writes.
        stdout: Takes answers.
        stderr: Takes everything else.
        plain: Whether nothing on the screen may be rewritten or coloured; NO_COLOR asks for it too.
        quiet: Whether nothing but errors goes to standard error, and nobody is asked.
        redact: Patterns of what is to be seen nowhere.

    Raises:
        UsageError: a pattern cannot be used.
    """

    def __init__(
        self,
        stdin: TextIO,
        stdout: TextIO,
        stderr: TextIO,
        *,
        plain: bool = False,
        quiet: bool = False,
        redact: Sequence[str] = (),
    ) -> None:
        self.stdin = stdin
        self.plain = plain
        self.redaction = Redaction(redact)
        """What is to be seen nowhere. Answers are redacted before they come here, event by event:
        see `cover`."""
        self._stdout = _forgiving(stdout)
        self._stderr = _forgiving(stderr)
        self._answer_filter = DisplayFilter()
        self._quiet = quiet
        coloured = not (plain or os.environ.get("NO_COLOR"))
        self._coloured = coloured and _is_screen(self._stderr)
        self.live = self._coloured and not quiet
        """Whether lines on standard error can be rewritten."""
        self.hears_keys = stdin.isatty() and _is_screen(self._stderr)
        """Whether single keys can be read as they are pressed."""
        self.can_ask = self.hears_keys and not quiet
        """Whether somebody can be asked for a key, wherever answers go."""
        self.conversational = stdin.isatty() and stdout.isatty() and not quiet
        """Whether a person types and reads here, on a dumb terminal too."""
        self.can_edit = self.conversational and not plain and _is_screen(self._stdout)
        """Whether a line can be edited here."""

    @classmethod
    def of_process(
        cls, *, plain: bool = False, quiet: bool = False, redact: Sequence[str] = ()
    ) -> Terminal:
        """The streams as they are now."""
        streams = _text_input(sys.stdin), _open(sys.stdout), _open(sys.stderr)
        return cls(*streams, plain=plain, quiet=quiet, redact=redact)

    @cached_property
    def console(self) -> Console:
        """Rich's console on standard error."""
        from rich.console import Console

        return Console(
            file=self._stderr,
            force_terminal=self.live,
            markup=False,
            highlight=False,
            emoji=False,
        )

    @cached_property
    def page(self) -> Console | None:
        """Rich's console on standard output, None where answers are to be left as they are."""
        if not (self._coloured and _is_screen(self._stdout)):
            return None
        from rich.console import Console

        return Console(
            file=self._stdout, force_terminal=True, markup=False, highlight=False, emoji=False
        )

    @property
    def width(self) -> int | None:
        """Columns of the screen, None without one."""
        return self.console.width if self.live else None

    @property
    def columns(self) -> int | None:
        """Columns of the screen that standard output goes to, None where it goes elsewhere."""
        try:
            return os.get_terminal_size(self._stdout.fileno()).columns or None
        except (OSError, ValueError):  # no terminal, or no descriptor
            return None

    def say(self, text: str = "", style: str = "") -> None:
        """Writes a line to standard error, unless that is to be quiet."""
        if not self._quiet:
            self._print(text, style)

    def aside(self, text: str) -> None:
        """Writes a line about the conversation, set apart from its words."""
        self.say(*((text, "dim") if self.live else (f"[{text}]",)))

    def error(self, error: Qwen3Error) -> None:
        """Says what went wrong and what can be done."""
        from rich.text import Text

        text = Text.assemble(("Error: ", "bold red"), clean(self.redaction.text(error.message)))
        self.console.print(text, soft_wrap=not self.live)
        if error.hint:
            self._print(error.hint)

    def _print(self, text: str, style: str = "") -> None:
        self.console.print(clean(self.redaction.text(text)), style=style, soft_wrap=not self.live)

    def answer(self, text: str) -> None:
        """Writes a part of an answer to standard output."""
        self._stdout.write(self._answer_filter.feed(text))
        self._stdout.flush()

    def data(self, text: str) -> None:
        """Writes a line to standard output."""
        self.answer(f"{text}\n")

    def confirm(self, question: str) -> bool:
        """Asks a question whose answer is no unless somebody says yes."""
        return self._ask(f"{question} [y/N]") in {"y", "yes"}

    def choose(self, question: str, choices: str) -> str:
        """Asks for one of some letters; an empty string if none of them was given, or Ctrl-C."""
        try:
            letter = self._ask(question)
        except KeyboardInterrupt:
            return ""
        return letter if letter in {*choices} else ""

    def _ask(self, question: str) -> str:
        with self.console.capture() as wrapped:
            self.console.print(clean(f"{self.redaction.text(question)} "), end="")
        try:
            self._write(wrapped.get())
            return self.stdin.readline().strip().lower()
        except KeyboardInterrupt:
            self._write("\n")
            raise

    def copy(self, text: str) -> None:
        """Puts text on the clipboard of whoever looks at the screen, also from afar.

        Raises:
            UsageError: there is no screen, or none that could pass it on.
        """
        if not self.conversational:
            raise UsageError("there is no clipboard here: this is no terminal")
        if os.environ.get("TERM", "") in _DUMB:
            raise UsageError("there is no clipboard here: this terminal takes no escape codes")
        # OSC 52 of xterm's control sequences: base64, so that nothing in it is obeyed.
        copied = self.redaction.text(text).encode("utf-8", "replace")  # halves of pairs from files
        self._write(f"\x1b]52;c;{base64.b64encode(copied).decode()}\x07")

    def prompt(self) -> None:
        """Asks a person for a line that the terminal itself edits; a pipe is not asked."""
        if self.conversational:
            self._write(PROMPT)

    @contextmanager
    def busy(self, what: str) -> Iterator[None]:
        """Shows that something takes its time; leaves nothing behind."""
        if not self.live:
            yield
            return
        from rich.text import Text

        with self.console.status(Text(clean(what), style="dim"), spinner_style="dim"):
            yield

    @contextmanager
    def quiet_keys(self) -> Iterator[None]:
        """Keeps keys that are pressed meanwhile off the screen; pasted text comes marked."""
        if not self.hears_keys:
            yield
            return
        import termios

        before = termios.tcgetattr(self.stdin)
        quiet = [*before]
        quiet[3] &= ~(termios.ECHO | termios.ICANON | termios.IEXTEN)
        termios.tcsetattr(self.stdin, termios.TCSADRAIN, quiet)
        self._mark_pastes("h")
        try:
            yield
        finally:
            self._mark_pastes("l")
            termios.tcsetattr(self.stdin, termios.TCSADRAIN, before)

    def _mark_pastes(self, how: str) -> None:
        if self.live:
            self._write(f"\x1b[?2004{how}")

    def _write(self, text: str) -> None:
        self._stderr.write(text)
        self._stderr.flush()


def _is_screen(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM", "") not in _DUMB


def _text_input(stream: TextIO | None) -> TextIO:
    """The stream; what is piped into it is read as UTF-8, wherever we run."""
    if isinstance(stream, io.TextIOWrapper) and not stream.isatty():
        as_it_is = (stream.encoding, stream.errors) == ("utf-8", "strict")
        if not as_it_is:  # cannot be changed any more once something was read
            stream.reconfigure(encoding="utf-8", errors="strict")
    return _open(stream)


def _open(stream: TextIO | None) -> TextIO:
    """The stream; an empty one in place of one that was closed before we began."""
    return stream or io.StringIO()


def _forgiving(stream: TextIO) -> TextIO:
    """The stream; a character that it cannot encode becomes a question mark, not an error."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="replace")
    return stream
