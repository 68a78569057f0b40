"""A terminal for tests: runs a command in a pty and knows what a person would see."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pyte

REPOSITORY = Path(__file__).parents[2]
PATIENCE = 30.0


class AnsweringScreen(pyte.Screen):
    """A screen that answers when it is asked where its cursor is."""

    def __init__(self, columns: int, lines: int, answer: Callable[[bytes], object]) -> None:
        super().__init__(columns, lines)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        """What the terminal says to the program."""
        self._answer(data.encode())


class Screen:
    """A command in a terminal of its own.

    Args:
        command: Program and arguments.
        columns: Of the terminal.
        rows: Of the terminal.
        env: What differs from this process's environment.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self._screen = AnsweringScreen(columns, rows, lambda data: os.write(self._master, data))
        self._stream = pyte.ByteStream(self._screen)
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("ctty.py")), *command],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            env={
                **os.environ,
                "TERM": "xterm-256color",
                "PYTHONPATH": str(REPOSITORY),
                **(env or {}),
            },
        )
        os.close(slave)
        self.raw = b""
        """Every byte that the program wrote."""

    def __enter__(self) -> Screen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._master)

    @property
    def text(self) -> str:
        """The screen without its toolbar, and the blanks at the end of lines and of the whole."""
        lines = [line.rstrip() for line in self._screen.display]
        return "\n".join(lines[: len(lines) - self._has_toolbar]).rstrip()

    @property
    def toolbar(self) -> str:
        """The last line of the screen, if it is in reverse."""
        return self._screen.display[-1].strip() if self._has_toolbar else ""

    def cell(self, row: int, column: int) -> pyte.screens.Char:
        """A character with its style."""
        return self._screen.buffer[row][column]

    @property
    def _has_toolbar(self) -> bool:
        return bool(self._screen.buffer[self._screen.lines - 1][0].reverse)

    @property
    def cursor_hidden(self) -> bool:
        """Whether the program has left the cursor invisible."""
        return bool(self._screen.cursor.hidden)

    def type(self, text: str) -> None:
        """Presses keys."""
        os.write(self._master, text.encode())

    def wait_for(self, text: str) -> str:
        """Waits until `text` stands on the screen. Returns the screen."""
        self.wait_until(lambda: text in self.text, repr(text))
        return self.text

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        """Waits until the condition holds; what the program did last counts, though it has gone."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            going = time.monotonic() < deadline and self._read()
            if not going and not condition():
                raise AssertionError(f"{what} never came; the screen is\n{self.text}")

    @property
    def echoes(self) -> bool:
        """Whether typed characters show."""
        return bool(termios.tcgetattr(self._master)[3] & termios.ECHO)

    def signal(self, number: int) -> None:
        """Sends a signal to the program."""
        self._process.send_signal(number)

    def finish(self) -> int:
        """Waits for the end of the program. Returns its exit code."""
        deadline = time.monotonic() + PATIENCE
        while self._read():
            if time.monotonic() > deadline:
                raise AssertionError(f"it goes on and on; the screen is\n{self.text}")
        return self._process.wait(PATIENCE)

    def _read(self) -> bool:
        """Takes what has been written; False when the program is gone."""
        ready, _, _ = select.select([self._master], [], [], 0.05)
        if not ready:
            return True
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            data = b""
        self.raw += data
        self._stream.feed(data)
        return bool(data)
