"""What of a conversion is done: kept beside the finished files, so that it can go on after a kill.

Knows finished shards and their digests. Does not know how they were made. A shard is noted only
after it has reached the disk, and whatever is not noted is made again.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from qwen3_mlx.checkpoint.files import read_json
from qwen3_mlx.convert.writer import to_json
from qwen3_mlx.errors import ConversionError, ModelFileError

LEDGER = "unfinished.json"
STATE = {"job", "source", "shards"}
OTHER_JOB = (
    "an unfinished conversion with other settings or versions was found: what it had finished is "
    "removed, and it is begun anew"
)

# Entries of JSON; what is in them is ours, and checked by the digest of the job.
Entry = dict[str, Any]


@dataclass
class Ledger:
    """The finished shards of one job.

    Attributes:
        folder: Where they are.
        job: A digest of everything that the result depends on besides the source's numbers.
        source: SHA-256 of the source's files, by name; empty before the first shard is done.
        shards: For each finished file its `sha256`, and what `checks` found about its tensors.
    """

    folder: Path
    job: str
    source: dict[str, str] = field(default_factory=dict)
    shards: dict[str, Entry] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path, job: str, note: Callable[[str], None] | None = None) -> Ledger:
        """What was done of this job in the folder; everything else in it is removed.

        Args:
            folder: Where it was, or will be.
            job: The job.
            note: Called with a sentence if what is finished is of another job, and is removed.
        """
        found = _read(folder)
        if found is not None and found.job != job and found.shards and note is not None:
            note(OTHER_JOB)
        ledger = found if found is not None and found.job == job else cls(folder, job)
        there = {path.name: path for path in folder.iterdir()}
        ledger.shards = {
            name: entry
            for name, entry in ledger.shards.items()
            if name in there and _is_whole(there[name], entry["sha256"])
        }
        for name, path in there.items():
            if name not in (LEDGER, *ledger.shards):
                _remove(path)
        return ledger

    def check_source(self, digests: Mapping[str, str]) -> None:
        """Refuse to go on from files that are no longer what they were.

        Raises:
            ConversionError: Names the first file that changed.
        """
        for name in sorted(self.source.keys() | digests.keys()):
            if self.source and self.source.get(name) != digests.get(name):
                raise ConversionError(
                    f"the source's file {name} has changed since the conversion began",
                    hint="What was finished was made of the old one and is removed: start again.",
                )

    def note(self, shard: str, checks: Mapping[str, Entry], source: Mapping[str, str]) -> None:
        """A shard is finished and on the disk."""
        self.source = dict(source)
        self.shards[shard] = {"sha256": sha256_of(self.folder / shard), "checks": dict(checks)}
        state = {"job": self.job, "source": self.source, "shards": self.shards}
        write_durably(self.folder / LEDGER, to_json(state).encode())

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each shard, by name."""
        return {name: entry["sha256"] for name, entry in self.shards.items()}

    @property
    def checks(self) -> dict[str, Entry]:
        """What was found about each tensor, by name."""
        return {
            name: found for entry in self.shards.values() for name, found in entry["checks"].items()
        }


def _read(folder: Path) -> Ledger | None:
    """What the folder says is done in it, of whatever job; None if it says nothing of use."""
    try:
        state: Entry = read_json(folder / LEDGER)
    except ModelFileError:
        return None
    if state.keys() != STATE:
        return None
    ledger = Ledger(folder, **state)
    return ledger if _is_sound(ledger) else None


def _is_sound(ledger: Ledger) -> bool:
    """Whether all that is used of it is what it ought to be."""
    parts = ledger.source, ledger.shards
    if not isinstance(ledger.job, str) or not all(isinstance(part, dict) for part in parts):
        return False
    return all(map(_is_entry, ledger.shards.values()))


def _is_entry(entry: object) -> bool:
    if not isinstance(entry, dict) or not isinstance(entry.get("sha256"), str):
        return False
    checks = entry.get("checks")
    return isinstance(checks, dict) and all(map(_is_check, checks.values()))


def _is_check(found: object) -> bool:
    return isinstance(found, dict) and all(
        isinstance(found.get(name), int | float) for name in ("error", "worst")
    )


def _remove(path: Path) -> None:
    """A file, or a folder that was in a model whose name was taken."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _is_whole(path: Path, sha256: str) -> bool:
    return path.is_file() and sha256_of(path) == sha256


def sha256_of(path: Path) -> str:
    """Of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file in one step, and return when it is on the disk."""
    new = path.with_name(f"{path.name}.new")
    with new.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
