"""A kind of file from strangers: where it is put, sound ones, and what reads it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Target:
    """A kind of file.

    Attributes:
        path: Where a file is put to be read.
        seeds: Sound files.
        read: Reads what is at the path.
    """

    path: Path
    seeds: tuple[bytes, ...]
    read: Callable[[], object]


def target(path: Path, read: Callable[[Path], object], *seeds: bytes) -> Target:
    """A kind of file, the first of its seeds in its place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(seeds[0])
    return Target(path, seeds, lambda: read(path))
