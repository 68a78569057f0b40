"""Requests of absurd size: what each asks, and what may come of it.

Knows the command line and the library as a stranger does. Does not know how a request is run, nor
how what came of it is judged: see `big_requests`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GIB = 1 << 30

LONG = "long.txt"
"""A prompt of about 60,000 tokens."""
HUGE = "huge.txt"
"""Forty megabytes."""
PART = "part.txt"
"""Fifteen megabytes: as much as one file may have."""
TALK = "talk.json"
"""A saved conversation of 200,000 messages."""
LOG = "log.jsonl"
"""Lines that are no tasks, a million of them."""

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
        times: How often that comes.
    """

    arguments: Sequence[str]
    says: str
    most: int = GIB
    refused: bool = True
    typed: str = ""
    times: int = 1


def command(
    *words: str, says: str, most: int = GIB, refused: bool = True, typed: str = "", times: int = 1
) -> Request:
    """A request to the command line."""
    return Request(("-P", "-m", "qwen3_mlx", *words), says, most, refused, typed, times)


def script(line: str, says: str, most: int = GIB, *, refused: bool = True) -> Request:
    """A request to the library."""
    return Request(("-c", LIBRARY.format(line)), says, most, refused)


OVERFLOW = r"the prompt has 60\d\d\d tokens and the model's context 2048"
BY_FAR = r"the prompt has at least \d+ tokens and the model's context 2048"
TOO_LONG = r"a text of [\d,]+ bytes is too long for a tokenizer"
PIPED = "the piped input is larger than 16 MB"
TOGETHER = "the files and the question are together larger than 16 MB"
BEYOND = "is a number of 16610 bits"
TOO_LONG = "too long for this model"
ANSWER = "I am a small demonstration model"

REQUESTS: dict[str, Request] = {
    "a prompt of 60,000 tokens in a file": command(
        *("ask", "What?", "--file", LONG), says=OVERFLOW
    ),
    "the same for a budget that sets itself": command(
        *("ask", "What?", "--file", LONG, "--budget", "auto"), says=OVERFLOW
    ),
    "a file of 40 MB": command("ask", "What?", "--file", HUGE, says="MB"),
    "a context of 10^9": command("ask", "Hi", "--context", "1000000000", says=TOO_LONG),
    "a context of 10^20": command("ask", "Hi", "--context", "9" * 20, says=TOO_LONG),
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
    "gigabytes piped in": command("ask", "What?", says=PIPED, typed="seven\n" * 10**5, times=10**4),
    "a line of 200 MB piped in": command(
        *("ask", "--jsonl", "What?"), says=PIPED, typed="7" * 10**6, times=200
    ),
    "15 MB piped in": command("ask", says=BY_FAR, typed="seven\n" * 10**5, times=25),
    "a line of 200 MB in a chat": command("chat", says=PIPED, typed="7" * 10**6, times=200),
    "quotes that never close in a chat": command(
        "chat", says=PIPED, typed='"""' + "7\n" * 10**6, times=10**3
    ),
    "an unknown command of 15 MB": command(
        "chat", says="there is no command", typed="/" + "7" * 15_000_000
    ),
    "a file of 40 MB in a chat": command("chat", says="larger than 16 MB", typed=f"/file {HUGE}\n"),
    "a hundred files of 15 MB in a chat": command(
        "chat", says=TOGETHER, typed=f"/file {PART}\n", times=100
    ),
    "2,000 files": command("ask", *("--file", LONG) * 2000, says=TOGETHER),
    "a file without end": command("ask", "What?", "--file", "/dev/zero", says="larger than 16 MB"),
    "tasks without end": command("curve", "/dev/zero", says="line 1 is longer than 16 MiB"),
    "a million lines that are no tasks": command("curve", LOG, says="holds no tasks"),
    "MCP servers without end": command("ask", "Hi", "--mcp", "/dev/zero", says="larger than 1 MB"),
    "a conversation of 200,000 messages": command("chat", says=BY_FAR, typed=f"/load {TALK}\nHi\n"),
    "a conversation of 40 MB": command("chat", says="larger than 16 MB", typed=f"/load {HUGE}\n"),
    "a text of 15 MB through a model": command("experts", "tiny", "--prompt", PART, says=TOO_LONG),
    "a pattern that repeats 4 billion times": command(
        *("ask", "Hi", "--redact", "a{4294967294}"), says="repeats a part too often"
    ),
    "a budget of 5,000 digits": command("ask", "Hi", "--budget", "9" * 5000, says="too large"),
    "a context of 5,000 digits": command("ask", "Hi", "--context", "9" * 5000, says="maximum size"),
    **{
        f"20 million {name}": script(
            f"qwen3_mlx.load('tiny').generate({text!r} * 2 * 10**7)", BY_FAR
        )
        for name, text in {"letters": "a", "spaces": " ", "emoji": "\U0001f600"}.items()
    },
    "20 million spaces to ids": script(
        "qwen3_mlx.load('tiny').tokenizer.encode(' ' * 2 * 10**7)", TOO_LONG
    ),
    "20 million letters in a batch": script(
        "qwen3_mlx.load('tiny').generate_batch(['Hi', 'a' * 2 * 10**7])", rf"prompts\[1\]: {BY_FAR}"
    ),
    "a tool's result of 50 MB": script(
        "qwen3_mlx.load('tiny').generate([{'role': 'user', 'content': 'Hi'},"
        " {'role': 'tool', 'content': '7 ' * 25_000_000}])",
        BY_FAR,
    ),
    "100,000 messages": script(
        "qwen3_mlx.load('tiny').generate([{'role': 'user', 'content': 'Hi'}] * 10**5)", BY_FAR
    ),
    **{
        f"{name} of -10^5000": script(
            f"qwen3_mlx.load('tiny').generate('Hi', {name}=-(10**5000))", BEYOND
        )
        for name in ("budget", "max_tokens", "seed", "max_steps", "top_k")
    },
    "a context of 10^5000": script("qwen3_mlx.load('tiny', context=10**5000)", "is not possible"),
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
    (folder / PART).write_text("seven " * 2_500_000)
    (folder / LOG).write_text("12:00 started\n" * 10**6)
    turn = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hi"}]
    (folder / TALK).write_text(json.dumps({"version": 1, "messages": turn * 10**5}))
