"""Where a person's own files are, and how one is read that a person named.

Knows the four folders of the XDG Base Directory Specification, the variables that move them, and
`~`. Does not know what is in the files.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

from qwen3_mlx.errors import UsageError, read_error

Kind: TypeAlias = Literal["cache", "config", "data", "state"]

_USUAL: dict[Kind, str] = {
    "cache": "~/.cache",
    "config": "~/.config",
    "data": "~/.local/share",
    "state": "~/.local/state",
}


def own_folder(kind: Kind) -> Path:
    """`qwen3-mlx` in the person's folder of that kind, which need not be there.

    Raises:
        UsageError: There is no home to find it in.
    """
    variable = f"XDG_{kind.upper()}_HOME"
    try:
        return Path(os.environ.get(variable) or _USUAL[kind]).expanduser() / "qwen3-mlx"
    except RuntimeError as error:
        raise UsageError(
            f"there is no {kind} folder: {error}", hint=f"Set {variable} to one."
        ) from error


def read_named(path: Path, most: int) -> bytes:
    """The first `most` bytes of a file or a pipe that a person named.

    Raises:
        UsageError: It is missing, a folder, or cannot be read.
    """
    try:
        with path.expanduser().open("rb") as file:
            return file.read(most)
    except (OSError, RuntimeError, ValueError) as error:
        raise read_error(path, error) from error
