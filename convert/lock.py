"""One conversion at a time for each destination.

Knows one file beside the destination, locked for as long as the process that holds it lives, also
when it is killed. Does not know what is converted.
"""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qwen3_mlx.errors import ConversionError


@contextmanager
def locked(destination: Path) -> Iterator[None]:
    """Holds the destination while the context lasts; leaves no file behind.

    Raises:
        ConversionError: Another process holds it; says which.
        OSError: The file cannot be written.
    """
    path = destination.with_name(f".{destination.name}.lock")
    descriptor = _acquire(path, destination)
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
    finally:
        try:
            path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _acquire(path: Path, destination: Path) -> int:
    """A descriptor of the file under this name, locked."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 200).decode("utf-8", "replace") or "another process"
            os.close(descriptor)
            raise ConversionError(
                f"{destination} is being written by {holder}",
                hint="Wait for it, or choose another destination.",
            ) from error
        if _is_still_there(descriptor, path):
            return descriptor
        os.close(descriptor)


def _is_still_there(descriptor: int, path: Path) -> bool:
    """Whether nobody removed the file between our opening and our locking it."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
