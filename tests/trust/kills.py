"""`kill -9` while files are written: conversions, saved prompts, transcripts, typed lines.

    python -m tests.trust.kills --count 500

Half of the moments are changes on the disk, drawn from all that the job makes, before the change or
with half of its bytes written; the others are random times. Every job is a process of its own,
forked before MLX has any threads. After each kill the files are as before or as they were to be;
then the job is run again, a day later as far as the files can tell, and nothing is left behind.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from qwen3_mlx.errors import Qwen3Error
from tests.trust.disk import watched
from tests.trust.jobs import Job, View, hidden, state_of
from tests.trust.tally import Tally, main
from tests.trust.writers import four, make_source

MOMENTS = 500
DAY = 24 * 3600
NEVER = 10**9


@dataclass
class Killer:
    """Ends the process at the N-th change on the disk.

    Attributes:
        at: The N.
        partly: Whether half of its bytes are written before, if it writes any.
        seen: Changes so far.
    """

    at: int
    partly: bool = False
    seen: int = 0

    def before(self, _kind: str, size: int) -> int:
        """Called before each change: see :mod:`tests.trust.disk`."""
        self.seen += 1
        if self.seen == self.at and self.partly and size > 1:
            return size // 2
        if self.seen >= self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return size


def in_a_process(work: Callable[[], object]) -> tuple[int, Iterator[str]]:
    """Begins some work in a child; its number, and what it says when it is over."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, json.dumps(work()).encode())
        os._exit(0)
    os.close(writing)
    return child, _rest_of(reading)


def _rest_of(descriptor: int) -> Iterator[str]:
    with os.fdopen(descriptor) as pipe:
        yield pipe.read()


def done(work: Callable[[], object]) -> object:
    """What some work comes to, in a child that nobody kills; None if it came to nothing."""
    child, said = in_a_process(work)
    text = next(said)
    os.waitpid(child, 0)
    return json.loads(text) if text else None


def prepare(job: Job, folder: Path) -> None:
    """Makes what was there before."""
    job.prepare(folder)


def told(job: Job, folder: Path) -> list[str]:
    """What a person is told by a job."""
    try:
        return list(job.run(folder))
    except Qwen3Error as error:
        return [error.message]


def changes_of(job: Job, folder: Path) -> int:
    """How many a job makes on the disk."""
    killer = Killer(NEVER)
    with watched(killer.before):
        job.run(folder)
    return killer.seen


@dataclass(frozen=True)
class Known:
    """A job, and what it does where nobody ends it.

    Attributes:
        new: What is to be seen in the end.
        changes: It makes on the disk.
        seconds: It takes, about.
    """

    job: Job
    new: View
    changes: int
    seconds: float


def known(job: Job, work: Path) -> Known:
    """Lets a job run to its end."""
    folder = work / "whole"
    folder.mkdir()
    done(partial(prepare, job, folder))
    start = time.perf_counter()
    changes = done(lambda: changes_of(job, folder))
    seconds = time.perf_counter() - start
    if not isinstance(changes, int):
        raise TypeError(f"{job.name} came to no end")
    return Known(job, job.view(folder), changes, seconds)


def kill_one(known: Known, folder: Path, moment: random.Random) -> tuple[str, str]:
    """What is there after a kill, and what is wrong with that (nothing, if nothing is)."""
    job = known.job
    folder.mkdir()
    done(partial(prepare, job, folder))
    old = job.view(folder)
    how = _killed(known, folder, moment)
    state = state_of(job.view(folder), old, known.new)
    if state == "between":
        return state, f"{how}: neither old nor new"
    for path in hidden(folder):
        os.utime(path, (time.time() - DAY,) * 2)
    said = done(lambda: told(job, folder))
    if said != [] or job.view(folder) != known.new:
        return state, f"{how}: the next run: {said}"
    left = [path.name for path in hidden(folder)]
    return state, f"{how}: left behind: {left}" if left else ""


def _killed(known: Known, folder: Path, moment: random.Random) -> str:
    """Kills a job; says when."""
    if moment.random() < 0.5:
        killer = Killer(moment.randint(1, known.changes), moment.random() < 0.5)
        done(lambda: _watched_run(known.job, folder, killer))
        return f"at change {killer.at} of {known.changes}{', half written' * killer.partly}"
    delay = moment.uniform(0, known.seconds)
    child, _ = in_a_process(lambda: told(known.job, folder))
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return f"after {delay:.4f} s"


def _watched_run(job: Job, folder: Path, killer: Killer) -> list[str]:
    with watched(killer.before):
        return list(job.run(folder))


def attack_jobs(jobs: Sequence[Job], work: Path, count: int, seed: int) -> Tally:
    """So many kills, in turn of each of some jobs."""
    tally = Tally()
    all_known = [known(job, _made(work / job.name)) for job in jobs]
    for number in range(count):
        one = all_known[number % len(jobs)]
        folder = work / one.job.name / str(number)
        state, wrong = kill_one(one, folder, random.Random(f"{seed} {number}"))
        shutil.rmtree(folder)
        if wrong:
            tally.fell(f"{one.job.name}: {wrong.split(': ')[1]}", f"trial {number}: {wrong}")
        else:
            tally.held(f"{one.job.name}: {state}, then new")
    return tally


def attack(count: int, seed: int) -> Tally:
    """So many kills."""
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        done(partial(make_source, work / "source"))
        return attack_jobs(four(work / "source"), work, count, seed)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main(attack, MOMENTS)
