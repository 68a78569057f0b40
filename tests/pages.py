"""Pages that show commands: what stands in them, and what the commands print."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROGRAM = "qwen3-mlx"
RATES = re.compile(r"\d+(?:\.\d+)?(?= (?:s|tok/s)\b)")


def blocks(page: str, kind: str) -> list[str]:
    """The fenced blocks of that kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)


def commands(page: str) -> list[tuple[str, str]]:
    """Each `$ command` of the page's console blocks, and what is shown under it."""
    parts = re.split(r"^\$ (.*)\n", "".join(blocks(page, "console")), flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def arguments_of(command: str) -> list[str]:
    """What Python is to be given to run a command of a page."""
    program, *arguments = shlex.split(command)
    assert program == PROGRAM
    return ["-m", "qwen3_mlx", *arguments]


def run(
    arguments: list[str], *, folder: Path | None = None, env: Mapping[str, str] | None = None
) -> str:
    """Everything that Python prints with these arguments, in that folder and environment."""
    done = subprocess.run(
        [sys.executable, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
        cwd=folder,
        env={**(os.environ if env is None else env), "PYTHONPATH": str(ROOT)},
    )
    return done.stdout


def steady(text: str) -> str:
    """The text with every duration and rate made the same."""
    return RATES.sub("N", text)
