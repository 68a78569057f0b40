"""Reading ahead while a person types: a thread that is over before the line is acted on.

Knows when to begin and when to stop. What there is to read is the conversation's business.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from qwen3_mlx.cli.terminal import Terminal

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation


@contextmanager
def reading_ahead(conversation: Conversation, terminal: Terminal) -> Iterator[None]:
    """Lets the model read what it can of the next prompt while the context lasts.

    Leaving it waits for no more than the slice that is being read. A program that writes lines
    into a pipe does not type: for it, nothing is read ahead.
    """
    if not terminal.conversational:
        yield
        return
    cancelled = threading.Event()
    reader = threading.Thread(target=_read, args=(conversation, cancelled.is_set), daemon=True)
    reader.start()
    try:
        yield
    finally:
        cancelled.set()
        reader.join()


def _read(conversation: Conversation, cancelled: Callable[[], bool]) -> None:
    # The next turn meets whatever goes wrong here again, and then somebody waits to be told.
    with suppress(Exception):
        conversation.read_ahead(cancelled)
