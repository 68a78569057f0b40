"""`--save-cache` through real processes: what the next one finds, and what is said on stderr."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

from tests.cli.screen import REPOSITORY

SUM = "What is 47 + 86 + 12?"
Run: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def caches(tmp_path: Path) -> Path:
    return tmp_path / "caches"


@pytest.fixture
def run(caches: Path) -> Run:
    """Runs the program with an empty cache folder."""

    def run(*args: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "qwen3_mlx", *args],
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "XDG_CACHE_HOME": str(caches)},
            check=True,
        )

    return run


def notes(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if "saved" in line]


def test_ask_finds_what_was_asked_before(run: Run, caches: Path) -> None:
    first, second = (run("ask", SUM, "--save-cache", "--json") for _ in range(2))
    replies = [json.loads(done.stdout) for done in (first, second)]
    assert [reply["usage"]["cached_tokens"] > 0 for reply in replies] == [False, True]
    assert replies[0]["thinking"] == replies[1]["thinking"]
    assert "145" in replies[1]["answer"]
    assert notes(first) == notes(second) == []
    for path in (caches / "qwen3-mlx" / "prompts").iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    third = run("ask", SUM, "--save-cache")
    assert "145" in third.stdout
    (note,) = notes(third)
    assert note.startswith("[a saved cache was damaged and is rebuilt: ")


def test_a_chat_goes_on_without_a_folder_for_its_prompts(run: Run, caches: Path) -> None:
    caches.touch()
    done = run("chat", "--save-cache", "--no-think", stdin="What is 2 + 3?\nWhat is 5 + 6?\n")
    first, second = done.stdout.splitlines()
    assert "5" in first
    assert "11" in second
    assert notes(done) == [
        f"[what is read is not saved: {caches}/qwen3-mlx/prompts: Not a directory]"
    ]


def test_without_the_flag_nothing_is_saved(run: Run, caches: Path) -> None:
    run("ask", "What is 2 + 3?", "--no-think")
    assert not caches.exists()
