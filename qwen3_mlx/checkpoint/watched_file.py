"""A file of weights that stays open while a model runs, and is noticed when it changes.

Knows reads at a place, and how a file is told from itself an hour ago. Does not know tensors.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path
from typing import NoReturn

from qwen3_mlx.checkpoint.files import open_regular
from qwen3_mlx.errors import ModelFileError


class WatchedFile:
    """A file opened once; another one that takes its name later is not looked at.

    Args:
        path: The file.
        size: The bytes that its header describes.

    Raises:
        ModelFileError: It cannot be opened, or has another size.
    """

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        file = open_regular(path)
        weakref.finalize(self, file.close)
        self._descriptor = file.fileno()
        self._opened = self._state()
        if self._opened[0] != size:
            self._refuse_changed()

    def read_into(self, buffer: memoryview, start: int) -> None:
        """Fill a buffer with the bytes from ``start`` on; several threads may do so at once.

        Raises:
            ModelFileError: The disk has failed, or the file has changed.
        """
        try:
            while buffer:
                count = os.preadv(self._descriptor, [buffer], start)
                if not count:
                    raise EOFError("it ends too early")
                buffer, start = buffer[count:], start + count
        except (OSError, EOFError) as error:
            self.check()
            why = error.strerror if isinstance(error, OSError) else error
            raise ModelFileError(
                f"{self._path} cannot be read: {why}",
                hint="Check the disk, or copy the model to another one.",
            ) from error

    def check(self) -> None:
        """Compare size and time of change with what they were when the file was opened.

        Raises:
            ModelFileError: They are not what they were.
        """
        if self._state() != self._opened:
            self._refuse_changed()

    def _state(self) -> tuple[int, int]:
        state = os.fstat(self._descriptor)
        return state.st_size, state.st_mtime_ns

    def _refuse_changed(self) -> NoReturn:
        raise ModelFileError(
            f"{self._path} has changed since the model was opened",
            hint="Load the model again.",
        )
