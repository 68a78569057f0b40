"""Attack: model folders with one fault each, through `load` and through `qwen3-mlx ask`.

Every one is refused with the cause named, or answered as the sound folder. What leaves a folder
that could be another sound model is caught by the digests in its manifest; without a manifest
nothing can tell, and such answers are counted apart. `python -m tests.trust.directories`.
"""

from __future__ import annotations

import random
import re

from qwen3_mlx.bundled import bundled_path
from tests.damage import Fault
from tests.trust.asking import Asker, Said, asker
from tests.trust.faults import FAULTS, PLAUSIBLE
from tests.trust.folders import copy
from tests.trust.tally import Tally, main

RECORDED = r"is not the file that conversion\.json records|\.json is missing"
"""What is said of a file that is another one, where a manifest says which one it was."""
ALL = FAULTS | PLAUSIBLE


def attack(count: int, seed: int) -> Tally:
    """So many faults, chosen by the seed, each with the manifest and without it."""
    names = random.Random(seed).sample(sorted(ALL), min(count, len(ALL)))
    tally = Tally()
    with asker() as asking:
        sound = sound_answer(asking)
        for name in names:
            for kept in (True, False):
                try_fault(tally, asking, name, ALL[name], sound, manifest=kept)
    tally.figures["faults"] = str(len(names))
    return tally


def sound_answer(asking: Asker) -> str:
    (first, second) = asking.ask(bundled_path("tiny"))
    assert first == second
    assert first.kind == "answered"
    return first.text


def try_fault(
    tally: Tally, asking: Asker, name: str, fault: Fault, sound: str, *, manifest: bool
) -> None:
    """One fault of one copy; what was said of it goes into the tally."""
    damage, message = fault
    trial = f"{name}, {'with' if manifest else 'without'} a manifest"
    with copy(manifest=manifest) as folder:
        damage(folder)
        for said in asking.ask(folder):
            judge(tally, trial, said, message, sound, silent=not manifest and name in PLAUSIBLE)


def judge(tally: Tally, trial: str, said: Said, message: str, sound: str, *, silent: bool) -> None:
    """Counts what was said.

    Args:
        silent: Whether nothing in the folder could tell that it is not as it was made.
    """
    if said.kind == "answered" and said.text == sound:
        tally.held("as the sound folder")
    elif said.kind == "answered" and silent:
        tally.held("another answer, where there is no manifest")
    elif said.kind == "answered":
        tally.fell("silent wrong answer", f"{trial}: {said.text!r:.200}")
    elif said.kind != "refused":
        tally.fell(said.kind, f"{trial}: {said.text[-300:]}")
    elif silent or re.search(f"{message}|{RECORDED}", said.text):
        tally.held("refused")
    else:
        tally.fell("refused without the cause", f"{trial}: {said.text[:300]}")


if __name__ == "__main__":
    main(attack, len(ALL))
