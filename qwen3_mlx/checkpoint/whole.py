"""Every byte of a model's files against what is known of them, without the source.

Knows the digests that `conversion.json` or `pruning.json` records, and that the Hub's cache names
each file after its digest. Does not know what the files mean.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from qwen3_mlx.checkpoint.reader import resolve_inside
from qwen3_mlx.checkpoint.recorded import (
    another_file,
    blocks_of,
    check_recorded,
    record_of,
    recorded_digests,
)
from qwen3_mlx.errors import ModelFileError, UsageError

GIT_DIGITS, SHA256_DIGITS = 40, 64
BLOB = re.compile(rf"[0-9a-f]{{{GIT_DIGITS}}}|[0-9a-f]{{{SHA256_DIGITS}}}")
"""What the Hub's cache names a file after: git's digest of it, or SHA-256 where it is large."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Files that are, to the last byte, what is known of them.

    Attributes:
        files: Their names.
        nbytes: Of all of them.
        known_by: What knows them: `conversion.json`, `pruning.json` or `the Hub`.
    """

    files: tuple[str, ...]
    nbytes: int
    known_by: str


def check_whole(folder: Path, progress: Callable[[int, int], None] | None = None) -> Whole:
    """Read every file whose digest is known, and compare it.

    Args:
        folder: Of a model: converted or pruned by us, or from the Hub's cache.
        progress: Called with the bytes read so far and those of all files.

    Raises:
        UsageError: Nothing is known of the folder's files.
        ModelFileError: A file is another one, is missing or unreadable; or a record is damaged.
    """
    check_recorded(folder)
    known = _known(folder)
    paths = {name: resolve_inside(folder, name) for name in known.digests}
    reading = _Reading(sum(path.stat().st_size for path in paths.values()), progress)
    for name, digest in known.digests.items():
        if reading.digest(paths[name], git=len(digest) == GIT_DIGITS) != digest:
            raise known.refusal(folder, name)
    return Whole(tuple(paths), reading.total, known.by)


@dataclass(frozen=True, slots=True)
class _Known:
    by: str
    digests: dict[str, str]
    refusal: Callable[[Path, str], ModelFileError]


def _known(folder: Path) -> _Known:
    record, digests = record_of(folder), recorded_digests(folder)
    if record and digests:
        return _Known(record, digests, another_file)
    if blobs := _blobs(folder):
        return _Known("the Hub", blobs, _another_on_the_hub)
    raise UsageError(
        f"nothing is known of how the files of {folder} are to be",
        hint="Compare it with what it was made of: qwen3-mlx verify SRC DST",
    )


@dataclass(slots=True)
class _Reading:
    total: int
    progress: Callable[[int, int], None] | None
    done: int = 0

    def digest(self, path: Path, *, git: bool) -> str:
        """SHA-256 of a file, or what git calls it (git's book, section 10.2)."""
        made = hashlib.sha256()
        if git:
            start = b"blob %d\0" % path.stat().st_size
            made = hashlib.sha1(start, usedforsecurity=False)
        for block in blocks_of(path):
            made.update(block)
            self.done += len(block)
            if self.progress:
                self.progress(self.done, self.total)
        return made.hexdigest()


def _blobs(folder: Path) -> dict[str, str]:
    """Digests of the files of a folder of the Hub's cache, by name."""
    links = [path for path in sorted(folder.iterdir()) if path.is_symlink()]
    targets = {path.name: path.readlink().name for path in links}
    return {name: target for name, target in targets.items() if BLOB.fullmatch(target)}


def _another_on_the_hub(folder: Path, name: str) -> ModelFileError:
    return ModelFileError(
        f"{folder / name} is not the file that the Hub has: its digest is another one",
        hint=f"Remove {(folder / name).resolve()} and fetch the model again.",
    )
