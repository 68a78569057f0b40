"""The README's commands and code, run as they stand: what it shows is what happens.

Seconds and rates differ from machine to machine and count as equal; nothing else does.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

README = (Path(__file__).parents[1] / "README.md").read_text()
BLOCKS = re.findall(r"^```(console|python)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CONSOLE = [text for kind, text in BLOCKS if kind == "console"]
PYTHON = [text for kind, text in BLOCKS if kind == "python"]
VARYING = re.compile(r"\d+(?:\.\d+)?(?= (?:s|tok/s)\b)")


def commands(block: str) -> list[tuple[str, str]]:
    """Each `$ command` of a block and what is shown under it."""
    parts = re.split(r"^\$ (.*)\n", block, flags=re.MULTILINE)
    return list(zip(parts[1::2], parts[2::2], strict=True))


def steady(text: str) -> str:
    """The text with every duration and rate made the same."""
    return VARYING.sub("N", text)


def run(command: list[str]) -> str:
    """Everything a command prints."""
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    return done.stdout


def test_the_readme_shows_something_to_run() -> None:
    assert CONSOLE
    assert PYTHON


@pytest.mark.parametrize(("command", "shown"), [c for block in CONSOLE for c in commands(block)])
def test_a_command_prints_what_the_readme_shows(command: str, shown: str) -> None:
    program, *arguments = shlex.split(command)
    assert program == "qwen3-mlx"
    assert steady(run([sys.executable, "-m", "qwen3_mlx", *arguments])) == steady(shown)


@pytest.mark.parametrize("code", PYTHON)
def test_the_code_prints_what_its_comments_say(code: str) -> None:
    expected = re.findall(r"print\(.*?\) +# (.*)", code)
    assert run([sys.executable, "-c", code]).splitlines() == expected
