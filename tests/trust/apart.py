"""Trials in processes of their own, so that one that ends its process is one of many.

Knows processes. A trial that ends its process, or from which it does not come back, counts as
fallen like any other; those before and after it are tried nevertheless. Does not know what is
tried.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from typing import TypeAlias

from tests.trust.tally import Tally

STUCK = 60
"""Seconds by the clock after which the system ends a process that does not come back."""

Begin: TypeAlias = Callable[[int], object]
"""Told the number of each trial before it."""

Attack: TypeAlias = Callable[[str, range, int, Begin], Tally]
"""The trials of these numbers, of what has that name, with that seed."""


def _report(
    tallies: Queue[Tally],
    attacked: Attack,
    name: str,
    numbers: range,
    seed: int,
    at: Synchronized[int],
) -> None:
    """In a process of its own; `at` says which trial is under way."""

    def begin(number: int) -> None:
        at.value = number
        signal.alarm(STUCK)

    tally = attacked(name, numbers, seed, begin)
    signal.alarm(0)
    tallies.put(tally)


def apart(name: str, count: int, seed: int, attacked: Attack) -> Tally:
    """So many trials, in one process or, where one of them ends it, in several.

    Raises:
        RuntimeError: The attack itself failed.
    """
    tally, left = Tally(), [range(count)]
    spawn = get_context("spawn")
    while left:
        numbers = left.pop()
        tallies: Queue[Tally] = spawn.Queue()
        at: Synchronized[int] = spawn.Value("q", numbers.start)
        given = (tallies, attacked, name, numbers, seed, at)
        process = spawn.Process(target=_report, args=given)
        process.start()
        process.join()
        if process.exitcode == 0:
            tally.add(tallies.get())
            continue
        if process.exitcode == 1:
            raise RuntimeError(f"the attack on {name} failed at trial {at.value} of seed {seed}")
        how = "never came back" if process.exitcode == -signal.SIGALRM else "the process ended"
        tally.fell(f"{name}: {how}", f"trial {at.value} of seed {seed}")
        around = range(numbers.start, at.value), range(at.value + 1, numbers.stop)
        left += [part for part in around if part]
    return tally
