"""A program for `test_resume`: kills conversions at random points, and starts each once more.

`kill_points.py SOURCE FOLDER COUNT`: makes `FOLDER/0` to `FOLDER/COUNT-1`. Every conversion is a
process of its own, forked before MLX has any threads, and is killed as from outside: SIGKILL, at
a Python call or return, or a call into C, drawn from all that a whole conversion makes.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path
from types import FrameType

from qwen3_mlx.convert import convert, plan

NEVER = sys.maxsize


def run(source: Path, destination: Path, kill_at: int) -> int:
    """Converts, and returns how many calls and returns that took."""
    count = 0

    def profile(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += 1
        if count == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.setprofile(profile)
    convert(source, destination)
    sys.setprofile(None)
    return count


def in_a_process(source: Path, destination: Path, kill_at: int = NEVER) -> tuple[int, int]:
    """The signal that ended it, and the count of :func:`run`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, str(run(source, destination, kill_at)).encode())
        os._exit(0)
    os.close(writing)
    _, status = os.waitpid(child, 0)
    with os.fdopen(reading) as pipe:
        return os.waitstatus_to_exitcode(status), int(pipe.read() or 0)


def main(source: Path, folder: Path, count: int) -> None:
    """Prints, for each conversion, how its two processes ended."""
    plan.SHARD_BYTES = 40_000
    _, calls = in_a_process(source, folder / "whole")
    points = random.Random(3)
    for number in range(count):
        killed, _ = in_a_process(source, folder / str(number), points.randrange(1, calls))
        left = (folder / str(number)).exists(), (folder / f".{number}.partial").exists()
        again, _ = in_a_process(source, folder / str(number))
        sys.stdout.write(f"{killed} {left} {again}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
