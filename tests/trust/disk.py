"""Every change that a program makes on the disk, one by one, so that one can fail or be the last.

Knows Python's ways to change files, and the one system call that the converter makes itself. Does
not know who changes what. What a library writes without Python is not seen.
"""

from __future__ import annotations

import builtins
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import IO, Any
from unittest.mock import patch

from qwen3_mlx.convert import folder

Before = Callable[[str, int], int]
"""Called before each change with what it is and how many bytes it writes (0 if none); returns how
many of them to write, or raises."""

GROWING = frozenset({"create", "write", "truncate", "flush", "make a folder"})
"""What a full disk refuses."""

CALLS = {
    "write": "write",
    "ftruncate": "truncate",
    "truncate": "truncate",
    "fsync": "flush",
    "rename": "rename",
    "replace": "rename",
    "mkdir": "make a folder",
    "unlink": "remove",
    "remove": "remove",
    "rmdir": "remove",
}
"""The functions of `os` that change something, and what the change is called here."""


@contextmanager
def watched(before: Before) -> Iterator[None]:
    """Calls `before` at every change while the context lasts, of one thread at a time."""
    at_once = _serial(before)
    with ExitStack() as patches:
        for name, kind in CALLS.items():
            patches.enter_context(patch.object(os, name, _watched_call(name, kind, at_once)))
        patches.enter_context(patch.object(os, "open", _watched_create(at_once)))
        opened = _watched_open(at_once)
        for module in (io, builtins):
            patches.enter_context(patch.object(module, "open", opened))
        swap = _watched_swap(at_once)
        patches.enter_context(patch.object(folder, "_exchange_at_once", swap))
        yield


def _serial(before: Before) -> Before:
    lock = threading.Lock()

    def one_at_a_time(kind: str, size: int) -> int:
        with lock:
            return before(kind, size)

    return one_at_a_time


def _watched_call(name: str, kind: str, before: Before) -> Callable[..., Any]:
    real = getattr(os, name)

    def call(*args: Any, **kwargs: Any) -> Any:
        if name == "write":
            descriptor, data = args
            return real(descriptor, data[: before(kind, len(data))])
        before(kind, 0)
        return real(*args, **kwargs)

    return call


def _watched_create(before: Before) -> Callable[..., int]:
    real = os.open

    def create(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        if flags & os.O_CREAT:
            before("create", 0)
        return real(path, flags, *args, **kwargs)

    return create


def _watched_swap(before: Before) -> Callable[..., None]:
    real = folder._exchange_at_once

    def swap(*names: Any) -> None:
        before("rename", 0)
        real(*names)

    return swap


def _watched_open(before: Before) -> Callable[..., IO[Any]]:
    real = io.open

    class Watched(io.FileIO):
        """A file whose writes are changes."""

        def write(self, data: Any, /) -> int:
            view = memoryview(data).cast("B")
            return super().write(view[: before("write", len(view))])

        def truncate(self, size: int | None = None, /) -> int:
            before("truncate", 0)
            return super().truncate(size)

    def opened(
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> IO[Any]:
        if not set(mode) & set("wxa+"):
            return real(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if opener is None:
            before("create", 0)
        raw = Watched(file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        buffered = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

    return opened
