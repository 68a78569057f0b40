"""Copies of the bundled model `tiny`, to be spoiled."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from qwen3_mlx.bundled import bundled_path
from tests.trust.faults.edits import MANIFEST


@contextmanager
def copy(*, manifest: bool = True) -> Iterator[Path]:
    """A copy, alone in a folder of its own; with its manifest, or without."""
    with tempfile.TemporaryDirectory() as place:
        folder = shutil.copytree(bundled_path("tiny"), Path(place) / "model")
        if not manifest:
            (folder / MANIFEST).unlink()
        yield folder
