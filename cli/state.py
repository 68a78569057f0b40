"""The state folder: what a person would miss if it went, but never set by hand.

Knows its place (`$XDG_STATE_HOME/qwen3-mlx`) and how to replace a file in one step. Does not know
what is in the files.
"""

from __future__ import annotations

import os
from pathlib import Path


def state_path(name: str) -> Path:
    """Where a file of that name is, or would be."""
    home = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(home).expanduser() / "qwen3-mlx" / name


def replace_file(path: Path, text: str) -> None:
    """Write a file that its owner alone may read, line ends as they are.

    It is there whole, or as it was before.

    Raises:
        OSError: It cannot be written.
    """
    import tempfile

    path.parent.mkdir(parents=True, exist_ok=True)
    # A temporary file is made with the mode 600.
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:
            Path(file.name).unlink(missing_ok=True)
            raise
