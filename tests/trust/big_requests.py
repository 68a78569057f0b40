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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.trust.tally import Tally, main
from tests.trust.weighing import UNIT

ADDRESS_SPACE = 14 << 30
CPU_SECONDS = 7200
"""What takes longer is ended by a signal."""
GIB = 1 << 30
MIB = 1 << 20

LONG = "long.txt"
"""A prompt of about 60,000 tokens."""
HUGE = "huge.txt"
"""Forty megabytes."""

LIBRARY = """
import sys
import qwen3_mlx
try:
    {}
except qwen3_mlx.Qwen3Error as error:
    sys.exit(f"{{error}}")
"""
"""A script; what it is refused goes to standard error."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and what may come of it.

    Attributes:
        arguments: Of Python.
        says: A pattern of what is said, on either stream.
        most: Bytes that it may take.
        refused: Whether it ends with an error.
        typed: What is on its standard input.
    """

    arguments: Sequence[str]
    says: str
    most: int = GIB
    refused: bool = True
    typed: str = ""


def command(
    *words: str, says: str, most: int = GIB, refused: bool = True, typed: str = ""
) -> Request:
    """A request to the command line."""
    return Request(("-P", "-m", "qwen3_mlx", *words), says, most, refused, typed)


def script(line: str, says: str, most: int = GIB, *, refused: bool = True) -> Request:
    """A request to the library."""
    return Request(("-c", LIBRARY.format(line)), says, most, refused)


OVERFLOW = r"the prompt has 60\d\d\d tokens and the model's context 2048"
TOO_LARGE = "this machine has .* for it"
ANSWER = "I am a small demonstration model"

REQUESTS: dict[str, Request] = {
    "a prompt of 60,000 tokens in a file": command(
        *("ask", "What?", "--file", LONG), says=OVERFLOW
    ),
    "the same for a budget that sets itself": command(
        *("ask", "What?", "--file", LONG, "--budget", "auto"), says=OVERFLOW
    ),
    "a file of 40 MB": command("ask", "What?", "--file", HUGE, says="MB"),
    "a context of 10^9": command("ask", "Hi", "--context", "1000000000", says=TOO_LARGE),
    "a context of 10^20": command("ask", "Hi", "--context", "9" * 20, says=TOO_LARGE),
    "10^12 tokens of reply": command(
        *("ask", "Hi", "--max-tokens", "1000000000000"), says=ANSWER, refused=False
    ),
    "a budget of 10^9": command("ask", "Hi", "--budget", "999999999", says=ANSWER, refused=False),
    "a budget of 10^10": command("ask", "Hi", "--budget", "9999999999", says="too large"),
    "10^12 remembered tokens": command(
        *("ask", "Hi", "--max-kv", "1000000000000"), says=ANSWER, refused=False
    ),
    "10^24 candidates": command("ask", "Hi", "--top-k", "9" * 24, says=ANSWER, refused=False),
    "a temperature of 10^308": command("ask", "Hi", "--temp", "1e308", says="out of range"),
    "a seed of 10^30": command("ask", "Hi", "--seed", "1" + "0" * 30, says="out of range"),
    "experts of 10^9 GB": command(
        *("ask", "Hi", "--expert-memory", "1000000000GB"), says="no amount of memory"
    ),
    "60,000 tokens in a chat": command(
        "chat", says=OVERFLOW, typed=" ".join("7" for _ in range(30_100)) + "\n"
    ),
    "bench on 60,000 tokens": command(
        *("bench", "--prompt-tokens", "60000", "--runs", "1", "--tokens", "2"),
        says="1984",
        refused=False,
    ),
    "bench on 10^24 tokens": command("bench", "--prompt-tokens", "9" * 24, says="no length"),
    "bench of 10^9 tokens of reply": command("bench", "--tokens", "1000000000", says="no room"),
    "curve in batches of 10^9": command(
        *("curve", "demo", "--limit", "2", "--budgets", "0,8", "--batch", "1000000000"),
        says="right answers",
        refused=False,
    ),
    "curve over a budget of 10^12": command(
        *("curve", "demo", "--budgets", "0,1000000000000"), says="too large"
    ),
    "groups of 10^12 weights": command(
        *("convert", "tiny", "out", "--group-size", "1000000000000"), says="not possible"
    ),
    "10^12 experts that stay": command(
        *("prune", "tiny", "out", "--keep", "1000000000000", "--calibrate", LONG),
        says="cannot stay",
    ),
    "a batch of three prompts too long": script(
        f"qwen3_mlx.load('tiny').generate_batch([open('{LONG}').read()] * 3)", OVERFLOW
    ),
    "a batch of 10^12 rows for three prompts": script(
        "print(len(qwen3_mlx.load('tiny').generate_batch(['Hi'] * 3, batch_size=10**12)))",
        r"\b3\b",
        refused=False,
    ),
    "a batch of 30,000 rows at once": script(
        "qwen3_mlx.load('tiny').generate_batch(['Hi'] * 30_000, batch_size=30_000)",
        "30000 conversations at once",
    ),
    "a million ids": script(
        "list(qwen3_mlx.load('tiny').stream_ids([7] * 10**6))", "the prompt has 1000000 tokens"
    ),
    "a reply of 10^12 ids": script(
        "list(qwen3_mlx.load('tiny').stream_ids([7], max_tokens=10**12)); print('ended')",
        "ended",
        refused=False,
    ),
    "a prompt of 60,000 tokens with a context for it": command(
        *("ask", "What?", "--file", LONG, "--context", "65536", "--no-think", "--max-tokens", "4"),
        says="stopped|tok/s",
        most=8 * GIB,
        refused=False,
    ),
}


def desk(folder: Path) -> None:
    """What the requests are about."""
    (folder / LONG).write_text(" ".join(str(number % 100) for number in range(20_800)))
    (folder / HUGE).write_text("seven " * 7_000_000)


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
        with process.stdin:
            process.stdin.write(request.typed.encode())
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    peak = usage.ru_maxrss * UNIT
    judge(tally, name, request, process.returncode, text, peak)
    return peak


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
