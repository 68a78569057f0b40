"""Where a person's own files are: the folders of the XDG Base Directory Specification.

Knows four folders and the variables that move them. Does not know what is in them.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal, TypeAlias

from qwen3_mlx.errors import UsageError

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
