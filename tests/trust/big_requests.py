"""Attack: requests of absurd size, each in a process of its own that may have 14 GiB.

    python -m tests.trust.big_requests

Every one is refused, with what is too large, or done in parts that fit. What ends the process, ends
in a traceback, takes more memory than it may, or says something else has fallen. The longest
reads a prompt of 60,000 tokens, a quarter of an hour on two cores.
"""

from __future__ import annotations

import os
import random
import re
import resource
import subprocess
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import IO

from tests.trust.absurd import GIB, REQUESTS, Request, desk
from tests.trust.tally import Tally, main
from tests.trust.weighing import UNIT

ADDRESS_SPACE = 14 << 30
CPU_SECONDS = 7200
"""What takes longer is ended by a signal."""
MIB = 1 << 20


def try_request(tally: Tally, name: str, folder: Path) -> int:
    """One request; what came of it goes into the tally, and its peak of memory is returned."""
    request = REQUESTS[name]
    with (folder / "said").open("w+b") as said:
        process = subprocess.Popen(
            [sys.executable, *request.arguments],
            stdin=subprocess.PIPE,
            stdout=said,
            stderr=said,
            cwd=folder,
            env=_environment(folder),
            preexec_fn=_bounded,
        )
        assert process.stdin is not None
        _type(process.stdin, request)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    peak = usage.ru_maxrss * UNIT
    judge(tally, name, request, process.returncode, text, peak)
    return peak


def _type(stdin: IO[bytes], request: Request) -> None:
    """Writes what is on the standard input, as far as it is read."""
    typed = request.typed.encode()
    with suppress(BrokenPipeError), stdin:
        for _ in range(request.times):
            stdin.write(typed)


def _environment(folder: Path) -> dict[str, str]:
    homes = {f"XDG_{kind}_HOME": str(folder) for kind in ("CACHE", "CONFIG", "DATA", "STATE")}
    root = str(Path(__file__).parents[2])
    return {**os.environ, **homes, "HF_HUB_OFFLINE": "1", "PYTHONPATH": root}


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    if sys.platform != "darwin":  # which has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))


def judge(tally: Tally, name: str, request: Request, code: int, text: str, peak: int) -> None:
    """Counts what came of a request."""
    end = text[-300:]
    if code < 0:
        tally.fell(f"ended by signal {-code}", f"{name}: {end}")
    elif "Traceback" in text:
        tally.fell("traceback", f"{name}: {end}")
    elif (code != 0) is not request.refused or not re.search(request.says, text):
        tally.fell("something else", f"{name}: {code}, {end}")
    elif peak > request.most:
        tally.fell("too much memory", f"{name}: {peak / GIB:.1f} GiB")
    else:
        tally.held("refused" if request.refused else "done, in parts that fit")


def attack(count: int, seed: int) -> Tally:
    """So many of the requests, chosen by the seed."""
    names = random.Random(seed).sample(list(REQUESTS), min(count, len(REQUESTS)))
    tally = Tally()
    with tempfile.TemporaryDirectory() as place:
        desk(Path(place))
        peaks = {name: try_request(tally, name, Path(place)) for name in names}
    refused = max((peak for name, peak in peaks.items() if REQUESTS[name].refused), default=0)
    largest = max(peaks, key=peaks.__getitem__)
    tally.figures["the most memory of a refusal"] = f"{refused // MIB:,} MiB"
    tally.figures[f"the most memory: {largest}"] = f"{peaks[largest] // MIB:,} MiB"
    return tally


if __name__ == "__main__":
    main(attack, len(REQUESTS))
