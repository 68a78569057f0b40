"""Ctrl-C while a turn runs: the first press stops the turn, a second one the program.

Knows signals. Knows nothing of conversations but that they can be asked to stop.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TypeVar

T = TypeVar("T")


class Presses:
    """Counts how often Ctrl-C was pressed.

    Args:
        stop: Called, from another thread, at the first press.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self.count = 0

    def any(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.count > 0

    def handle(self, _signal: int, _frame: FrameType | None) -> None:
        """The handler of the signal.

        A handler runs on top of whatever the main thread is doing, with the locks it holds: so
        the stop is asked for from a thread of its own.

        Raises:
            KeyboardInterrupt: it is not the first press.
        """
        self.count += 1
        if self.count > 1:
            raise KeyboardInterrupt
        threading.Thread(target=self._stop, daemon=True).start()

    def raised_between(self, events: Iterator[T]) -> Iterator[T]:
        """The same events; a press ends them where nothing is half drawn.

        Raises:
            KeyboardInterrupt: Ctrl-C was pressed.
        """
        for event in events:
            if self.count:
                raise KeyboardInterrupt
            yield event


@contextmanager
def stop_on_interrupt(stop: Callable[[], None]) -> Iterator[Presses]:
    """Lets Ctrl-C call `stop` once and raise KeyboardInterrupt only after that."""
    presses = Presses(stop)
    before = signal.signal(signal.SIGINT, presses.handle)
    try:
        yield presses
    finally:
        signal.signal(signal.SIGINT, before)
