"""Hears keys while a turn runs: a thread that reads the terminal and passes single keys on.

Knows file descriptors and the terminal's queue of unread input. Every key that is pressed
meanwhile is taken, so none is left for the next prompt.
"""

from __future__ import annotations

import os
import select
import signal
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from qwen3_mlx.cli.keys import KeyDecoder
from qwen3_mlx.cli.terminal import Terminal

_CTRL_C = "\x03"
_PAUSE = 0.05  # seconds after which what follows an Esc does not belong to it
_SOME = 1024  # bytes


@contextmanager
def listening(terminal: Terminal, press: Callable[[str], None]) -> Iterator[None]:
    """Calls `press`, from a thread of its own, with every key while the context lasts.

    Ctrl-C is the signal that it always is, also if it was pressed just before.
    """
    if not terminal.hears_keys:
        yield
        return
    with terminal.quiet_keys():
        keyboard = _Keyboard(terminal.stdin.fileno(), press)
        keyboard.start()
        try:
            yield
        finally:
            keyboard.end()


class _Keyboard:
    """Reads `source` until it is told to end.

    Args:
        source: Descriptor of a terminal that passes keys on as they are pressed.
        press: Takes the keys.
    """

    def __init__(self, source: int, press: Callable[[str], None]) -> None:
        self._source = source
        self._press = press
        self._decoder = KeyDecoder()
        self._awake, self._wake = os.pipe()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def start(self) -> None:
        """Begins to listen."""
        self._thread.start()

    def end(self) -> None:
        """Stops listening; what was pressed so far, and the rest of a sequence, is dropped."""
        os.close(self._wake)
        self._thread.join()
        os.close(self._awake)
        while not self._decoder.idle and self._ready(self._source, timeout=_PAUSE):
            if not self._keys():
                break
        termios.tcflush(self._source, termios.TCIFLUSH)

    def _listen(self) -> None:
        while True:
            timeout = None if self._decoder.idle else _PAUSE
            ready = self._ready(self._source, self._awake, timeout=timeout)
            if self._awake in ready:
                return
            keys = self._keys() if ready else self._decoder.pause()
            if keys is None:
                return
            for key in keys:
                self._hear(key)

    def _hear(self, key: str) -> None:
        if key == _CTRL_C:  # pressed when the terminal did not make a signal of it yet
            os.kill(os.getpid(), signal.SIGINT)
        else:
            self._press(key)

    def _keys(self) -> list[str] | None:
        """The keys that can be read now; None when the terminal has gone."""
        try:
            data = os.read(self._source, _SOME)
        except OSError:
            return None
        return self._decoder.feed(data) if data else None

    @staticmethod
    def _ready(*sources: int, timeout: float | None) -> list[int]:
        return select.select(sources, [], [], timeout)[0]
