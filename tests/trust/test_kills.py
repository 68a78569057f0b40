"""A few processes are killed while they write; and the attack notices who writes without care.

`python -m tests.trust.test_kills` attacks one that does.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.trust.jobs import Job, visible
from tests.trust.kills import attack_jobs
from tests.trust.tally import Tally, main

REPOSITORY = Path(__file__).parents[2]
KILLS = 5
CARELESS_KILLS = 12


def attacked(module: str, count: int) -> subprocess.CompletedProcess[str]:
    """In a process without threads, from which others can be forked."""
    command = [sys.executable, "-m", module, "--count", str(count)]
    return subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=300
    )


def test_no_kill_loses_anything() -> None:
    run = attacked("tests.trust.kills", KILLS)
    assert run.stderr == ""
    assert run.stdout.endswith("fell: 0\n")
    assert sum(int(line.split()[0]) for line in run.stdout.splitlines()[:-1]) == KILLS
    assert run.returncode == 0


def test_who_writes_without_care_is_noticed() -> None:
    run = attacked("tests.trust.test_kills", CARELESS_KILLS)
    assert "neither old nor new" in run.stdout
    assert run.returncode == 1


def old(folder: Path) -> None:
    (folder / "file").write_bytes(b"old" * 10)


def in_place(folder: Path) -> list[str]:
    """As nobody should write: what was there is lost first."""
    (folder / "file").write_bytes(b"new" * 10)
    return []


def attack_careless(count: int, seed: int) -> Tally:
    """Kills who writes in place."""
    with tempfile.TemporaryDirectory() as work:
        return attack_jobs(
            [Job("careless", "file", old, in_place, visible)], Path(work), count, seed
        )


if __name__ == "__main__":
    main(attack_careless, CARELESS_KILLS)
