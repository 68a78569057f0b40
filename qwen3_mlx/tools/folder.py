"""One folder whose files may be read, and nothing outside it: neither by `..` nor through links.

Knows paths, links and kinds of files. A path is resolved and checked, then opened one folder at a
time without following a link, so that one that is put there in between leads nowhere. Hidden files
count as outside. Does not know what a file is read for.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qwen3_mlx.errors import ToolError, UsageError

# A pipe that nobody writes into does not keep us waiting.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenFolder:
    """A folder that may be read.

    Args:
        path: The folder; links in it count as where they lead.

    Raises:
        UsageError: it is no folder.
    """

    def __init__(self, path: Path) -> None:
        try:
            self.path = path.expanduser().resolve(strict=True)
        except (OSError, RuntimeError) as error:
            raise UsageError(f"there is no folder {path}") from error
        if not self.path.is_dir():
            raise UsageError(f"{path} is no folder")

    @contextmanager
    def opened_file(self, path: str) -> Iterator[int]:
        """The descriptor of a regular file.

        Raises:
            ToolError: it is not there, is outside, or is something else.
        """
        with self._opened(path) as (descriptor, kind):
            if not stat.S_ISREG(kind):
                what = "a folder" if stat.S_ISDIR(kind) else "no regular file"
                raise ToolError(f"{path!r} is {what}")
            yield descriptor

    def entries(self, path: str) -> list[str]:
        """The names in a folder in their order; those of folders end with a slash.

        Raises:
            ToolError: it is not there, is outside, or is no folder.
        """
        with self._opened(path) as (descriptor, kind):
            if not stat.S_ISDIR(kind):
                raise ToolError(f"{path!r} is no folder")
            with os.scandir(descriptor) as found:
                return sorted(_named(entry) for entry in found if not _is_hidden(entry.name))

    @contextmanager
    def _opened(self, path: str) -> Iterator[tuple[int, int]]:
        """The descriptor of what is there, and its mode."""
        parts = self._parts(path)
        try:
            descriptor = self._walked(parts)
        except FileNotFoundError as error:
            raise ToolError(f"there is no {path!r}") from error
        except OSError as error:
            raise ToolError(f"{path!r} cannot be read: {error.strerror}") from error
        try:
            yield descriptor, os.fstat(descriptor).st_mode
        finally:
            os.close(descriptor)

    def _parts(self, path: str) -> tuple[str, ...]:
        """The way from the folder to what `path` names, without links."""
        if Path(path).is_absolute():
            raise ToolError(f"{path!r} does not begin in the folder; give it without the first /")
        try:
            found = (self.path / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a circle of links; a zero byte
            raise ToolError(f"{path!r} cannot be read") from error
        if not found.is_relative_to(self.path):
            raise ToolError(f"{path!r} is outside of the folder that may be read")
        parts = found.relative_to(self.path).parts
        if any(map(_is_hidden, parts)):
            raise ToolError(f"{path!r} is hidden: files whose names begin with a dot are not read")
        return parts

    def _walked(self, parts: tuple[str, ...]) -> int:
        """A descriptor of what is at the end of the way."""
        *folders, last = parts or (".",)
        here = os.open(self.path, _READ | os.O_DIRECTORY)
        try:
            for name in folders:
                here, before = os.open(name, _READ | os.O_DIRECTORY, dir_fd=here), here
                os.close(before)
            mode = os.stat(last, dir_fd=here, follow_symlinks=False).st_mode
            if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
                raise ToolError(f"{last!r} is no regular file")  # opening a device may do something
            return os.open(last, _READ, dir_fd=here)
        finally:
            os.close(here)


def _is_hidden(name: str) -> bool:
    return name.startswith(".")


def _named(entry: os.DirEntry[str]) -> str:
    return f"{entry.name}/" if entry.is_dir(follow_symlinks=False) else entry.name
