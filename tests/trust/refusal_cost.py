"""Attack: what it costs to refuse a folder, in time and in memory, and what is read before.

Each fault, and some that are as large as files may be, in a fresh process. Under one second (of
CPU time: the clock is that of a machine that others use) after the imports, under 200 MB more than
they took, and before a tensor is read; numbers that are not finite are found when they are
reached. `python -m tests.trust.refusal_cost`.
"""

from __future__ import annotations

import random
import subprocess

from tests.damage import Fault
from tests.trust.faults import FAULTS, PLAUSIBLE
from tests.trust.faults.heavy import HEAVY
from tests.trust.folders import copy
from tests.trust.tally import Tally, main
from tests.trust.weighing import Weight, weigh

MOST_SECONDS, MOST_BYTES = 1.0, 200_000_000
ENDLESS = "does not end within"
"""A template has two seconds; see `tests.trust.templates`."""
LATE = "refused too late"
NOT_FINITE = "NonFiniteError"

ALL = FAULTS | PLAUSIBLE | HEAVY


def attack(count: int, seed: int) -> Tally:
    """So many faults, chosen by the seed; those that are heavy first."""
    rest = sorted(ALL.keys() - HEAVY.keys())
    names = [*HEAVY, *random.Random(seed).sample(rest, len(rest))][:count]
    tally, weights = Tally(), dict[str, Weight]()
    for name in names:
        try:
            weights[name] = weigh_fault(ALL[name])
        except subprocess.CalledProcessError as error:
            tally.fell("traceback", f"{name}: {error.stderr[-300:]}")
        except subprocess.TimeoutExpired:
            tally.fell("hang", name)
    for name, weight in weights.items():
        judge(tally, name, weight)
    tally.figures |= worst(weights)
    return tally


def weigh_fault(fault: Fault) -> Weight:
    with copy() as folder:
        fault[0](folder)
        return weigh(folder)


def judge(tally: Tally, name: str, weight: Weight) -> None:
    trial = f"{name}: {weight.cpu_seconds:.2f} s, {weight.nbytes:,} bytes: {weight.message[:200]}"
    endless = ENDLESS in weight.message
    if not weight.error:
        tally.held("answered")
    elif weight.read and weight.error != NOT_FINITE:
        tally.fell("refused when tensors were read", trial)
    elif weight.nbytes > MOST_BYTES:
        tally.fell("refused with too much memory", trial)
    elif weight.cpu_seconds > MOST_SECONDS and not endless:
        tally.fell(LATE, trial)
    else:
        tally.held("refused")


def worst(weights: dict[str, Weight]) -> dict[str, str]:
    """The most that a refusal took, and which it was."""
    refused = {n: w for n, w in weights.items() if w.error and ENDLESS not in w.message}
    if not refused:
        return {}
    slowest = max(refused, key=lambda name: refused[name].cpu_seconds)
    largest = max(refused, key=lambda name: refused[name].nbytes)
    middle = sorted(weight.cpu_seconds for weight in refused.values())[len(refused) // 2]
    return {
        "half of the refusals within": f"{middle:.3f} s",
        f"the slowest: {slowest}": f"{refused[slowest].cpu_seconds:.2f} s",
        f"the largest: {largest}": f"{refused[largest].nbytes / 1e6:.0f} MB",
    }


if __name__ == "__main__":
    main(attack, len(ALL))
