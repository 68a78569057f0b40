"""The N-th change on the disk fails, N = 1, 2, 3 ... until none does, in everything that writes.

    python -m tests.trust.failing_writes --count 1000000

`--count` bounds how many N are tried of each job and fault, evenly spread. After each failure the
files are as before or as they were to be, nothing unfinished is left, the message names the file
and, of a full disk, the bytes needed; and the same job then succeeds.
"""

from __future__ import annotations

import errno
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qwen3_mlx.errors import Qwen3Error
from tests.trust.disk import GROWING, watched
from tests.trust.jobs import Job, View, hidden, state_of
from tests.trust.tally import Tally, main
from tests.trust.writers import all_of_them, make_source

ALL = 10**6
NEVER = 10**9
NEEDED = re.compile(r"\d ([kMG]B|bytes) are needed")
KEPT = "run the same command again to go on"
"""What is said where unfinished files are kept on purpose."""


@dataclass
class Fault:
    """What goes wrong from the N-th change on.

    Attributes:
        at: The N.
        code: The error, of :mod:`errno`.
        lasting: Whether all later changes of that kind fail too.
        kinds: Which changes can fail; None for all.
        partly: Whether half of the bytes of the first write are written before.
        seen: Changes so far.
        hit: What failed.
        first: Which change was the first of those.
    """

    at: int
    code: int
    lasting: bool
    kinds: frozenset[str] | None = None
    partly: bool = False
    seen: int = 0
    hit: list[str] = field(default_factory=list)
    first: int = 0

    def before(self, kind: str, size: int) -> int:
        """Called before each change: see :mod:`tests.trust.disk`."""
        self.seen += 1
        due = self.seen >= self.at if self.lasting else self.seen == self.at
        if not due or (self.kinds is not None and kind not in self.kinds):
            return size
        self.hit.append(kind)
        self.first = self.first or self.seen
        if self.first == self.seen and self.partly and kind == "write" and size > 1:
            return size // 2
        raise OSError(self.code, os.strerror(self.code))


class Caught:
    """Catches any error, ours or not: which one it is is what this looks for."""

    error: Exception | None = None

    def __enter__(self) -> Caught:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _: object
    ) -> bool:
        self.error = error if isinstance(error, Exception) else None
        return self.error is not None


FAULTS: dict[str, Callable[[int], Fault]] = {
    "a full disk": lambda at: Fault(at, errno.ENOSPC, lasting=True, kinds=GROWING),
    "a short write": lambda at: Fault(at, errno.ENOSPC, lasting=True, kinds=GROWING, partly=True),
    "an error once": lambda at: Fault(at, errno.EIO, lasting=False),
    "a disk that is gone": lambda at: Fault(at, errno.EIO, lasting=True),
}


@dataclass(frozen=True)
class Trial:
    """One job in a fresh folder, with one fault.

    Attributes:
        folder: Where.
        old: What was to be seen before.
        new: What is to be seen in the end.
    """

    job: Job
    folder: Path
    old: View
    new: View

    def outcome(self, fault: Fault) -> tuple[str, str]:
        """What came of it, and what is wrong with that (nothing, if nothing is)."""
        said, wrong = self._told(fault)
        if not fault.hit:
            return "no change of that kind", wrong
        state = state_of(self.job.view(self.folder), self.old, self.new)
        wrong = wrong or self._faults_of(fault, state, said) or self._next_run()
        return state, wrong

    def _told(self, fault: Fault) -> tuple[str, str]:
        """What a person is told, and whether it came as an error that is not ours."""
        said: Sequence[str] = ()
        with Caught() as caught, watched(fault.before):
            said = self.job.run(self.folder)
        if isinstance(caught.error, Qwen3Error):
            return f"{caught.error.message}. {caught.error.hint}", ""
        return " ".join(said), f"traceback: {caught.error!r}" if caught.error else ""

    def _faults_of(self, fault: Fault, state: str, said: str) -> str:
        if state == "between":
            return "neither old nor new"
        if state == "new" and not said:
            return ""
        if str(self.folder / self.job.target) not in said:
            return f"the message does not name the file: {said!r}"
        sized = fault.first > self.job.unsized
        if fault.code == errno.ENOSPC and sized and not NEEDED.search(said):
            return f"the message does not say how many bytes are needed: {said!r}"
        removable = fault.kinds is not None or not fault.lasting
        if removable and hidden(self.folder) and KEPT not in said and fault.hit != ["remove"]:
            return f"left behind: {[path.name for path in hidden(self.folder)]}"
        return ""

    def _next_run(self) -> str:
        said: Sequence[object] = ()
        with Caught() as caught:
            said = self.job.run(self.folder)
        if caught.error is not None:
            return f"the next run failed: {caught.error!r}"
        seen = self.job.view(self.folder)
        return f"the next run: {said}" if said or seen != self.new else ""


def trial_of(job: Job, folder: Path, new: View | None) -> Trial:
    """A job that is prepared in an empty folder."""
    folder.mkdir()
    job.prepare(folder)
    return Trial(job, folder, job.view(folder), {} if new is None else new)


def attack_job(job: Job, work: Path, count: int) -> Tally:
    """All faults at all changes of one job, or at `count` of them."""
    whole = trial_of(job, work / "whole", None)
    counted = Fault(NEVER, 0, lasting=False)
    with watched(counted.before):
        job.run(whole.folder)
    new = job.view(whole.folder)
    tally = Tally()
    for name, make in FAULTS.items():
        for at in _spread(counted.seen, count):
            with tempfile.TemporaryDirectory(dir=work) as place:
                trial = trial_of(job, Path(place) / "here", new)
                state, wrong = trial.outcome(make(at))
            if wrong:
                tally.fell(f"{job.name}: {wrong.partition(':')[0]}", f"{name}, N = {at}: {wrong}")
            else:
                tally.held(f"{job.name}: {state}")
    return tally


def _spread(most: int, count: int) -> Sequence[int]:
    """At most `count` of the numbers from 1 to `most`, evenly spread, the last one among them."""
    step = max(1, -(-most // count))
    return range(most, 0, -step)


def jobs_in(work: Path) -> Iterator[tuple[Job, Path]]:
    """Every job, with a folder of its own."""
    make_source(work / "source")
    for job in all_of_them(work / "source"):
        place = work / job.name
        place.mkdir()
        yield job, place


def attack(count: int, _seed: int) -> Tally:
    """Every job."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as work:
        for job, place in jobs_in(Path(work)):
            tally.add(attack_job(job, place, count))
    return tally


if __name__ == "__main__":
    main(attack, ALL)
