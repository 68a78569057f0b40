"""The small trained models that ship inside the package: their names and folders.

Knows where they are. Does not know how to load them; `training/` in the repository made them.
"""

from __future__ import annotations

from pathlib import Path

NAMES = ("tiny", "tiny-dense")


def bundled_path(name: str) -> Path:
    """The folder of a bundled model, whose ``name`` must be one of :data:`NAMES`."""
    return Path(__file__).parent / name
