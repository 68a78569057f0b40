"""What gets its name is on the disk by then: a power cut leaves no name of what is half written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen3_mlx.convert import folder
from tests.trust.jobs import Job, visible
from tests.trust.writers import (
    CALIBRATION,
    EXPORT,
    HISTORY,
    SETTINGS,
    TRANSCRIPT,
    four,
    make_source,
)


class Disk:
    """Watches what is flushed, and what gets a name that is to be seen.

    Attributes:
        named: Names that were given.
        unflushed: Files that had not been flushed when they, or their folders, got one.
    """

    def __init__(self) -> None:
        self.named: list[str] = []
        self.unflushed: list[str] = []
        self._flushed: set[int] = set()

    def flush(self, descriptor: int) -> None:
        """In place of `os.fsync`."""
        self._flushed.add(os.fstat(descriptor).st_ino)

    def naming(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """In place of a function that gives a name to what has another."""

        def name(old: Any, new: Any) -> Any:
            if Path(new).name[0] != ".":
                self.named.append(Path(new).name)
                path = Path(old)
                files = [path, *path.iterdir()] if path.is_dir() else [path]
                self.unflushed += [f.name for f in files if f.stat().st_ino not in self._flushed]
            return real(old, new)

        return name


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    disk = Disk()
    monkeypatch.setattr(os, "fsync", disk.flush)
    for name in ("rename", "replace"):
        monkeypatch.setattr(os, name, disk.naming(getattr(os, name)))
    monkeypatch.setattr(folder, "_exchange_at_once", disk.naming(folder._exchange_at_once))
    return disk


@pytest.mark.parametrize("job", [TRANSCRIPT, HISTORY, EXPORT, CALIBRATION, SETTINGS])
def test_a_file_is_on_the_disk_before_it_has_its_name(job: Job, disk: Disk, tmp_path: Path) -> None:
    job.prepare(tmp_path)
    disk.named.clear()
    job.run(tmp_path)
    assert disk.named == [job.target]
    assert disk.unflushed == []


def test_so_are_models_and_saved_prompts(disk: Disk, tmp_path: Path) -> None:
    make_source(tmp_path / "source")
    for job in four(tmp_path / "source")[:3]:
        place = tmp_path / job.name
        place.mkdir()
        job.prepare(place)
        job.run(place)
        assert set(visible(place)) <= set(disk.named)
    assert disk.unflushed == []


def test_what_is_not_flushed_is_noticed(disk: Disk, tmp_path: Path) -> None:
    (tmp_path / ".new").touch()
    (tmp_path / ".new").rename(tmp_path / "file")
    assert disk.unflushed == [".new"]
