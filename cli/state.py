"""The state folder: what a person would miss if it went, but never set by hand.

Knows its place (`$XDG_STATE_HOME/qwen3-mlx`), how to replace a file in one step, also elsewhere,
and where that cannot be. Does not know what is in the files.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path

from qwen3_mlx.errors import UsageError, write_error
from qwen3_mlx.places import own_folder

UNFINISHED = ".new"
ABANDONED = 3600
"""Seconds. No file of ours takes so long to write: whoever began it is gone."""


def state_path(name: str) -> Path:
    """Where a file of that name is, or would be.

    Raises:
        UsageError: there is no home to find it in.
    """
    return own_folder("state") / name


def check_place(path: Path) -> None:
    """Refuse a path that no file can be written to, before the work that is to fill it.

    Raises:
        UsageError: it is a folder, or in a folder that is not there, or no file can be named so.
    """
    try:
        why = _unusable(path)
    except OSError as error:
        why = error.strerror
    if why:
        raise UsageError(
            f"{path} cannot be written: {why}", hint="Name a file in a folder that exists."
        )


def _unusable(path: Path) -> str | None:
    if path.is_dir():
        return "it is a folder"
    return None if path.absolute().parent.is_dir() else f"there is no folder {path.parent}"


def replace_file(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, line ends as they are.

    It is there whole, or as it was before. Half of a surrogate pair is written as JSON escapes it.

    Raises:
        UsageError: It is a device or a pipe, which would be gone.
        Qwen3Error: It cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        _refuse_devices(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        _replace(path, data)
    except OSError as error:
        raise write_error(path, error, len(data)) from error


def _refuse_devices(path: Path) -> None:
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise UsageError(f"{path} is no file that could be replaced", hint="Name another file.")


def _replace(path: Path, data: bytes) -> None:
    import tempfile

    # A temporary file is made with the mode 600.
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", suffix=UNFINISHED, delete=False
    ) as file:
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            with suppress(OSError):
                Path(file.name).unlink(missing_ok=True)
            raise


def _remove_abandoned(path: Path) -> None:
    """Remove what processes left that were killed while they wrote this file."""
    name = re.compile(rf"\.{re.escape(path.name)}\.\w+{re.escape(UNFINISHED)}")
    for entry in path.parent.iterdir():
        if name.fullmatch(entry.name):
            with suppress(OSError):
                if entry.stat().st_mtime < time.time() - ABANDONED:
                    entry.unlink()
