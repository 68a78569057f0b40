"""The attack on readers of strangers' files: mutations of each kind, a process for each kind.

Knows how a trial is made and counted. Does not know what is read, nor how files go wrong.
"""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.trust.apart import Begin, apart
from tests.trust.mutations import mutated
from tests.trust.parsed_files import targets
from tests.trust.reading import FINE, Read, try_file
from tests.trust.tally import Tally, main
from tests.trust.target import Target

DEEPEST = 60
"""Frames below which a file is read: some more than there are below a command."""

AT_ONCE = 2
"""Processes."""

IN_MEMORY = next((place for place in ("/dev/shm",) if Path(place).is_dir()), None)  # noqa: S108
"""Where files need no disk."""


def trial(target: Target, name: str, number: int, seed: int) -> bytes:
    """The bytes of one trial, the same at any time."""
    return mutated(random.Random(f"{seed} {name} {number}"), target.seeds)


def against(name: str, numbers: range, seed: int, begin: Begin = lambda _number: None) -> Tally:
    """Trials of one kind of file."""
    tally, done = Tally(), [Read("", 0.0, 0)]
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        target = targets(Path(folder))[name]
        for number in numbers:
            begin(number)
            found = try_file(target, trial(target, name, number, seed), number % DEEPEST)
            done.append(found)
            if found.outcome in FINE:
                tally.held(f"{name}: {found.outcome}")
            else:
                tally.fell(f"{name}: {found.outcome}", f"trial {number} of seed {seed}")
    seconds, nbytes = max(read.seconds for read in done), max(read.nbytes for read in done)
    tally.figures[f"{name}: the most"] = f"{seconds:.3f} s, {nbytes / 1e6:.0f} MB"
    return tally


def names() -> list[str]:
    """All kinds of files."""
    with TemporaryDirectory() as folder:
        return [*targets(Path(folder))]


def attack(count: int, seed: int) -> Tally:
    """So many trials in all, the same number of each kind."""
    tally, kinds = Tally(), names()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for part in pool.map(
            lambda name: apart(name, -(-count // len(kinds)), seed, against), kinds
        ):
            tally.add(part)
    return tally


if __name__ == "__main__":
    main(attack, 1_000_000)
