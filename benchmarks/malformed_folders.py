"""The malformed model folders of docs/trust.md through mlx-lm, for comparison.

    python -m benchmarks.malformed_folders --count 481

An exception of any kind counts as an exception, whatever it says: what falls is a wrong answer
without a word, a hang, and the end of the process, which may have 8 GiB. Does not know what is
wrong with a folder.
"""

from __future__ import annotations

import random

from qwen3_mlx.bundled import bundled_path
from tests.trust.asking import Said, asker
from tests.trust.directories import ALL
from tests.trust.faults import PLAUSIBLE
from tests.trust.folders import copy
from tests.trust.tally import Tally, main

PATIENCE = 60.0
"""Seconds. A sound folder takes two."""


def attack(count: int, seed: int) -> Tally:
    """So many faults, chosen by the seed; what can only be known with a manifest apart."""
    names = random.Random(seed).sample(sorted(ALL), min(count, len(ALL)))
    tally = Tally()
    with asker(PATIENCE, "benchmarks.asking_mlx_lm") as asking:
        (sound,) = asking.ask(bundled_path("tiny"))
        for name in names:
            with copy() as folder:
                ALL[name][0](folder)
                (said,) = asking.ask(folder)
            judge(tally, name, said, sound)
    return tally


def judge(tally: Tally, name: str, said: Said, sound: Said) -> None:
    """Counts what was said."""
    if said == sound:
        tally.held("as the sound folder")
    elif said.kind == "answered" and name in PLAUSIBLE:
        tally.held("another answer, and nothing but a record tells")
    elif said.kind == "answered":
        tally.fell("silent wrong answer", f"{name}: {said.text!r:.100}")
    elif said.kind == "refused":
        tally.held("an exception")
    else:
        tally.fell("hang" if said.kind == "hang" else "end of the process", name)


if __name__ == "__main__":
    main(attack, len(ALL))
