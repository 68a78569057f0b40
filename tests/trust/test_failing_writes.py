"""A few of the writes fail; and the attack notices who writes without care."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from qwen3_mlx.errors import Qwen3Error
from tests.trust.failing_writes import ALL, attack_job
from tests.trust.jobs import Job, visible
from tests.trust.writers import (
    CALIBRATION,
    EXPORT,
    HISTORY,
    JOURNAL,
    SETTINGS,
    THOUGHTS,
    TRANSCRIPT,
    four,
    make_source,
)

SMALL = (TRANSCRIPT, HISTORY, EXPORT, JOURNAL, CALIBRATION, SETTINGS, THOUGHTS)


@pytest.mark.parametrize("job", SMALL, ids=lambda job: job.name)
def test_no_failing_write_loses_anything(job: Job, tmp_path: Path) -> None:
    tally = attack_job(job, tmp_path, ALL)
    assert tally.offenders == []
    assert tally.counts.total() >= 12


@pytest.mark.parametrize("number", [0, 1, 2])
def test_nor_does_one_of_many(number: int, tmp_path: Path) -> None:
    """In conversions and saved prompts, which make hundreds of changes."""
    make_source(tmp_path / "source")
    (tmp_path / "work").mkdir()
    tally = attack_job(four(tmp_path / "source")[number], tmp_path / "work", 1)
    assert tally.offenders == []
    assert tally.counts.total() == 4


def in_place(path: Path) -> None:
    """As nobody should write: what was there is lost first."""
    path.write_bytes(b"new" * 10)


def untidily(path: Path) -> None:
    """What is not finished stays."""
    other = path.with_name(".other")
    other.write_bytes(b"new" * 10)
    other.replace(path)


def told(write: Callable[[Path], object], message: str) -> Callable[[Path], list[str]]:
    """A way to write, and what is said when it fails."""

    def run(folder: Path) -> list[str]:
        try:
            write(folder / "file")
        except OSError as error:
            raise Qwen3Error(message.format(folder / "file")) from error
        return []

    return run


def unexplained(folder: Path) -> list[str]:
    """The system's error goes on as it is."""
    untidily(folder / "file")
    return []


def old(folder: Path) -> None:
    (folder / "file").write_bytes(b"old" * 10)


GOOD = "{} cannot be written; 30 bytes are needed"


@pytest.mark.parametrize(
    ("run", "noticed"),
    [
        (told(in_place, GOOD), "neither old nor new"),
        (told(untidily, GOOD), "left behind"),
        (told(untidily, "no"), "does not name the file"),
        (told(untidily, "{} cannot be written"), "how many bytes"),
        (unexplained, "traceback"),
    ],
)
def test_who_writes_without_care_is_noticed(
    run: Callable[[Path], list[str]], noticed: str, tmp_path: Path
) -> None:
    careless = Job("careless", "file", old, run, visible)
    tally = attack_job(careless, tmp_path, ALL)
    assert noticed in " ".join(tally.fallen)
