"""Attack: folders that bring code, by every name under which others would run it.

Each is loaded and asked in a process of its own that works in the folder, under a hook that hears
what Python compiles, imports, runs, starts and connects to. The code would leave a trace in the
folder; so would a template that gets out of its sandbox. `python -m tests.trust.no_code`.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

from tests.trust import guarded
from tests.trust.faults.code import TRACE, TRIES
from tests.trust.folders import copy
from tests.trust.tally import Tally, main

ROOT = Path(__file__).parents[2]
PATIENCE = 120.0


def attack(count: int, seed: int) -> Tally:
    """So many ways, chosen by the seed; without a manifest, which would refuse most at once."""
    tally = Tally()
    for name in random.Random(seed).sample(sorted(TRIES), min(count, len(TRIES))):
        with copy(manifest=False) as folder:
            TRIES[name](folder)
            judge(tally, name, folder, ask_guarded(folder))
    return tally


def ask_guarded(folder: Path) -> subprocess.CompletedProcess[str]:
    """By `load` and by `ask`, from within the folder."""
    return subprocess.run(
        [sys.executable, "-P", guarded.__file__],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def judge(tally: Tally, name: str, folder: Path, done: subprocess.CompletedProcess[str]) -> None:
    if (folder / TRACE).exists():
        tally.fell("code ran", name)
    elif done.returncode:
        tally.fell("traceback", f"{name}: {done.stderr[-300:]}")
    elif done.stderr:
        tally.fell("something was run or started", f"{name}: {done.stderr[:300]}")
    else:
        tally.held("no code ran")


if __name__ == "__main__":
    main(attack, len(TRIES))
