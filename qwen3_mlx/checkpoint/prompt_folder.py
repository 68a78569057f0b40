"""The folder of saved prompts: bounded in bytes and files, the least recently used going first.

Knows names, sizes and times. Does not know what is in the files. Several processes share the folder
without a lock: a file appears under its name whole, and whoever finds one gone does without it.
"""

from __future__ import annotations

import errno
import os
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from qwen3_mlx.checkpoint.prompt_file import SUFFIX
from qwen3_mlx.errors import write_error
from qwen3_mlx.places import own_folder

MAX_BYTES = 10 * 10**9
MAX_FILES = 500
"""So many are looked through in a tenth of a second."""
SHARE_OF_DISK = 10
"""A tenth of what is free, with what the folder holds already counted as free."""

UNFINISHED = ".new"
ABANDONED_NS = 3600 * 10**9
"""No file takes so long to write: whoever began it is gone."""


def default_folder() -> Path:
    """`qwen3-mlx/prompts` in the cache folder of the person.

    Raises:
        UsageError: There is no home to find it in.
    """
    return own_folder("cache") / "prompts"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as it was found."""

    path: Path
    nbytes: int
    used: int


class PromptFolder:
    """Files that come, are used, and go.

    Args:
        path: The folder; made when it is opened.
        max_bytes: All files together, and not more than a tenth of the free disk.
        max_files: How many, so that looking through them stays quick.
        clock: Nanoseconds since 1970, as files have them.
    """

    def __init__(
        self,
        path: Path,
        *,
        max_bytes: int = MAX_BYTES,
        max_files: int = MAX_FILES,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.path = path
        self.now = clock
        self._max_bytes = max_bytes
        self._max_files = max_files

    def open(self) -> None:
        """Make the folder, for its owner alone, and remove what was never finished.

        Raises:
            OSError: It cannot be made, or not be written to.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(self.path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(self.path))
        for entry in self._entries(UNFINISHED):
            if entry.used < self.now() - ABANDONED_NS:
                self.remove(entry.path)

    def beginning(self, text: str) -> list[Path]:
        """The files whose names begin so, the last used first."""
        found = [entry for entry in self._entries(SUFFIX) if entry.path.name.startswith(text)]
        return [entry.path for entry in _newest_first(found)]

    def has(self, path: Path) -> bool:
        """Whether there is something of that name, as far as one can see."""
        try:
            path.lstat()
        except OSError:
            return False
        return True

    def limit(self) -> int:
        """Bytes that all files may have together now.

        Raises:
            OSError: The disk cannot be asked.
        """
        held = sum(entry.nbytes for entry in self._entries(SUFFIX))
        free = shutil.disk_usage(self.path).free
        return min(self._max_bytes, (free + held) // SHARE_OF_DISK)

    def add(self, name: str, parts: Sequence[bytes | memoryview], limit: int, when: int) -> bool:
        """Write a file for its owner alone, once enough others are removed.

        Args:
            name: What it is called when it is whole.
            parts: Its bytes.
            limit: Bytes that all files may have together.
            when: It is used; what was used later is not removed for it.

        Returns:
            Whether there was room.

        Raises:
            Qwen3Error: It cannot be written; nothing of it is left.
        """
        nbytes = sum(map(len, parts))
        if not self._make_room(limit - nbytes, when):
            return False
        try:
            self._write(name, parts)
        except OSError as error:
            raise write_error(self.path / name, error, nbytes) from error
        self.use(self.path / name, when)
        return True

    def _write(self, name: str, parts: Iterable[bytes | memoryview]) -> None:
        # A temporary file is made with the mode 600.
        with NamedTemporaryFile(dir=self.path, prefix=".", suffix=UNFINISHED, delete=False) as file:
            new = Path(file.name)
            try:
                file.writelines(parts)
                file.flush()
                os.fsync(file.fileno())
                new.replace(self.path / name)
            except BaseException:
                self.remove(new)
                raise

    def use(self, path: Path, when: int) -> None:
        """Note when a file was used; it may be gone."""
        with suppress(OSError):
            os.utime(path, ns=(when, when))

    def remove(self, path: Path) -> None:
        """Remove a file, if that is possible and nobody has."""
        with suppress(OSError):
            path.unlink()

    def _make_room(self, max_bytes: int, when: int) -> bool:
        """Remove the least recently used until so many bytes are left, and room for a file."""
        if max_bytes < 0:
            return False
        for number, entry in enumerate(_newest_first(self._entries(SUFFIX)), start=1):
            max_bytes -= entry.nbytes
            if max_bytes < 0 or number >= self._max_files:
                if entry.used > when:
                    return False
                self.remove(entry.path)
        return True

    def _entries(self, suffix: str) -> Iterator[Entry]:
        """All files of one kind, without what cannot be read or goes meanwhile."""
        with suppress(OSError), os.scandir(self.path) as found:
            for entry in found:
                if entry.name.endswith(suffix):
                    with suppress(OSError):
                        state = entry.stat(follow_symlinks=False)
                        yield Entry(Path(entry.path), state.st_size, state.st_mtime_ns)


def _newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: entry.used, reverse=True)
