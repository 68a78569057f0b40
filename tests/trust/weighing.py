"""What a refusal costs: one folder loaded in a fresh process that watches its clock and memory.

Knows processes and their peaks. Does not know what is wrong with a folder.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

PATIENCE = 60.0

# macOS counts resident memory in bytes, Linux in KiB.
UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True, slots=True)
class Weight:
    """What a load came to.

    Attributes:
        error: The class of the error; nothing if the model was loaded and said a few words.
        message: Of the error.
        read: Whether a tensor was read before.
        seconds: From the end of the imports, by the clock.
        cpu_seconds: The same of CPU time, with what a process that it started took.
        nbytes: By how much the peak of the process rose meanwhile.
        worker_nbytes: The peak of a process that it started; a little too much, since that
            process began as a copy of it.
    """

    error: str
    message: str
    read: bool
    seconds: float
    cpu_seconds: float
    nbytes: int
    worker_nbytes: int


def weigh(folder: Path, patience: float = PATIENCE) -> Weight:
    """Load a folder in a process of its own.

    Raises:
        subprocess.TimeoutExpired: It does not end.
        subprocess.CalledProcessError: It ends in something else than an error of ours.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.trust.weighing", str(folder)],
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        timeout=patience,
        check=True,
    )
    return Weight(**json.loads(done.stdout))


def peak() -> int:
    """The most memory that this process has had."""
    try:
        status = Path("/proc/self/status").read_text("ascii")
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def busy() -> float:
    """Seconds of CPU time so far, here and in the processes that ended."""
    used = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


def load(folder: str) -> Weight:
    """In this process, which has loaded nothing before."""
    import mlx.core as mx

    import qwen3_mlx
    from qwen3_mlx.loading import load
    from qwen3_mlx.text import bytelevel

    assert bytelevel  # imported when it is needed, which is no part of the cost
    reads = []
    read = mx.load

    def noted(*args: object, **kwargs: object) -> object:
        reads.append(args)
        return read(*args, **kwargs)  # type: ignore[arg-type]

    mx.load = noted  # type: ignore[assignment]
    before, start, cpu, error, message = peak(), time.perf_counter(), busy(), "", ""
    try:
        load(folder, offline=True).generate("Hi", max_tokens=4)
    except qwen3_mlx.Qwen3Error as refusal:
        error, message = type(refusal).__name__, refusal.message
    seconds = time.perf_counter() - start
    worker = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * UNIT
    nbytes = peak() - before
    return Weight(error, message, bool(reads), seconds, busy() - cpu, nbytes, worker)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asdict(load(sys.argv[1]))))
