"""The attack on readers of strangers' files: mutations of each kind, a process for each kind.

Knows what may come of reading a file: it is read, or refused by an error of ours that is short
enough to be read. What takes longer than a second of CPU time or 500 MB, any other exception, and
the end of the process count as fallen.
"""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.queues import Queue
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from resource import RUSAGE_SELF, getrusage
from tempfile import TemporaryDirectory
from time import process_time
from types import FrameType
from typing import TypeAlias

from qwen3_mlx.errors import Qwen3Error
from tests.trust.mutations import mutated
from tests.trust.parsed_files import Target, targets
from tests.trust.tally import Tally, main

MOST_SECONDS = 1.0
MOST_BYTES = 500 * 10**6
MOST_CHARACTERS = 4000
"""Of an error's message."""

FINE = frozenset({"read", "refused"})

STUCK = 30
"""Seconds after which a reader is interrupted, and its process ended soon after."""

IN_MEMORY = next((place for place in ("/dev/shm",) if Path(place).is_dir()), None)  # noqa: S108
"""Where files need no disk."""

UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which the system counts memory."""

Numbers: TypeAlias = "Synchronized[int]"
Tallies: TypeAlias = "Queue[Tally]"
Attack: TypeAlias = "Callable[[str, range, int, Numbers | None], Tally]"


class StuckError(BaseException):
    """A reader went on and on."""


def peak() -> int:
    """The most memory that this process had so far, in bytes."""
    return getrusage(RUSAGE_SELF).ru_maxrss * UNIT


def try_file(target: Target, data: bytes) -> str:
    """What comes of a file with these bytes: `read`, `refused`, or what must not be."""
    target.path.write_bytes(data)
    start, before = process_time(), peak()
    outcome = _outcome(target)
    if process_time() - start > MOST_SECONDS:
        return "longer than a second"
    return "more than 500 MB" if peak() - before > MOST_BYTES else outcome


def _outcome(target: Target) -> str:
    try:
        target.read()
    except Qwen3Error as error:
        said = f"{error.message}{error.hint or ''}"
        return "refused" if 0 < len(said) < MOST_CHARACTERS else "an endless message"
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is what this looks for
        return f"{type(error).__name__}"
    return "read"


def trial(target: Target, name: str, number: int, seed: int) -> bytes:
    """The bytes of one trial, the same at any time."""
    return mutated(random.Random(f"{seed} {name} {number}"), target.seeds)


def against(name: str, numbers: range, seed: int, at: Numbers | None = None) -> Tally:
    """Trials of one kind of file; says in `at` which one is under way."""
    tally = Tally()
    with TemporaryDirectory(dir=IN_MEMORY) as folder, interrupted_when_stuck():
        target = targets(Path(folder))[name]
        for number in numbers:
            if at is not None:
                at.value = number
            signal.alarm(STUCK)
            outcome = try_file(target, trial(target, name, number, seed))
            if outcome in FINE:
                tally.held(f"{name}: {outcome}")
            else:
                tally.fell(f"{name}: {outcome}", f"trial {number} of seed {seed}")
    return tally


@contextmanager
def interrupted_when_stuck() -> Iterator[None]:
    """An alarm raises an error meanwhile."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise StuckError

    before = signal.signal(signal.SIGALRM, stop)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def _report(
    tallies: Tallies, attacked: Attack, name: str, numbers: range, seed: int, at: Numbers
) -> None:
    tallies.put(attacked(name, numbers, seed, at))


def apart(name: str, count: int, seed: int, attacked: Attack = against) -> Tally:
    """As `against`, in processes of its own: one that ends names its trial, the next goes on."""
    spawn = get_context("spawn")
    tally, start = Tally(), 0
    while start < count:
        tallies: Tallies = spawn.Queue()
        at = spawn.Value("q", start)
        given = (tallies, attacked, name, range(start, count), seed, at)
        process = spawn.Process(target=_report, args=given)
        process.start()
        process.join()
        if process.exitcode == 0:
            tally.add(tallies.get())
            break
        tally.fell(f"{name}: the process ended", f"trial {at.value} of seed {seed}")
        tally.held(f"{name}: read or refused", at.value - start)
        start = at.value + 1
    return tally


def names() -> list[str]:
    """All kinds of files."""
    with TemporaryDirectory() as folder:
        return [*targets(Path(folder))]


def attack(count: int, seed: int) -> Tally:
    """So many trials in all, the same number of each kind."""
    tally = Tally()
    kinds = names()
    for name in kinds:
        tally.add(apart(name, -(-count // len(kinds)), seed))
    return tally


if __name__ == "__main__":
    main(attack, 1_000_000)
