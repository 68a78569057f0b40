"""Reading ahead: the part of the next prompt that is certain before its message is there.

Knows that old thoughts leave the history, and that a turn comes first. Does not know who waits for
the message, nor how long.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, partial
from threading import Event as Flag
from threading import RLock
from typing import TypeVar

import mlx.core as mx

from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request, Writer
from qwen3_mlx.generation.shared import common_prefix
from qwen3_mlx.text.pieces import Message

SLICE = 64
"""Tokens that are read between two looks at whether to stop: a person waits for no more."""

_QUESTIONS: Sequence[Message] = [{"role": "user", "content": text} for text in ("a", "b")]
_one_slice = RLock()
T = TypeVar("T")


class HandOver:
    """Lets one thread read ahead until another wants to begin a turn, and never both at once.

    Ctrl-C in a hand-over may leave it taken for as long as the traceback is kept: by the thread
    that it came to, which is not in its own way.
    """

    def __init__(self) -> None:
        self._reading = RLock()
        self._wanted = Flag()

    @contextmanager
    def reading(self) -> Iterator[Callable[[], bool]]:
        """Reading ahead; gives a function that tells whether it must stop."""
        with self._reading:
            yield self._wanted.is_set

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Nothing is read ahead meanwhile; waits for the end of a slice that has begun."""
        try:
            self._wanted.set()
            with self._reading:
                yield
        finally:
            self._wanted.clear()


def read_ahead(
    writer: Writer, request: Request, prefix: Prefix, cancelled: Callable[[], bool]
) -> bool:
    """Let the model read what the next prompt begins with, slice by slice.

    Args:
        request: The messages so far.
        prefix: What the model has read. It is right at every moment, and after an error empty.
        cancelled: Asked before each slice.

    Returns:
        Whether nothing is left to read.

    Raises:
        UsageError: the messages cannot be written in the model's format.
        ContextOverflowError: they are longer than the context.
    """
    if cancelled():
        return False
    ids = beginning(writer, request)
    if common_prefix(prefix.ids, ids) == len(ids):
        return True
    held = _in_any_thread(partial(prefix.recall, ids))
    for done in range(held, len(ids), SLICE):
        if cancelled():
            return False
        _in_any_thread(partial(prefix.extend, ids[: done + SLICE]))
    _in_any_thread(prefix.save)
    return True


def beginning(writer: Writer, request: Request) -> list[int]:
    """The ids that the next prompt begins with, whatever is asked in it.

    They end with a control token, so that no text can be joined with what follows. A reply that
    calls a tool is followed by the result, which is no question: its thoughts stay, and the model
    has read them.

    Args:
        request: The messages so far.

    Raises:
        ContextOverflowError: they are longer than the context.
    """
    messages = request.messages
    if messages and messages[-1].get("tool_calls"):
        return []
    first, second = (
        writer.pieces(replace(request, messages=[*messages, question])) for question in _QUESTIONS
    )
    return writer.encoded(first[: common_prefix(first, second)])


def _in_any_thread(work: Callable[[], T]) -> T:
    """Compute where every thread may, one at a time.

    A thread's own stream is a thread of MLX's that outlives it: one for each line of a chat.
    """
    with _one_slice, mx.stream(_stream()):
        return work()


@cache
def _stream() -> mx.Stream:
    return mx.new_thread_unsafe_stream(mx.default_device())
