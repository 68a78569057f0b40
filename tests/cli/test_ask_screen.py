"""`ask` as a process: in a terminal, interrupted, and with nobody at the other end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import pytest

from tests.cli.fakes import Hold, Step, answers, stops, thinks
from tests.cli.screen import REPOSITORY, Screen

ADVICE = (
    "tiny is a small demonstration model; better: qwen3-mlx pull 8b (4.61 GB, fits\nthis machine)\n"
)

NEEDS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has this device")


def program(turn: list[Step], *args: str) -> list[str]:
    return [sys.executable, "-c", f"from tests.cli.fakes import *\nrun({[turn]!r})", "ask", *args]


@pytest.fixture
def start() -> Iterator[Callable[..., Screen]]:
    """Starts `ask` in a terminal, with a model that plays the given turn."""
    with ExitStack() as screens:
        yield lambda turn, *args: screens.enter_context(Screen(program(turn, *args)))


def piped(command: list[str], stdout: IO[str] | None = None) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        stdout=stdout,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )


def test_in_a_terminal(start: Callable[..., Screen]) -> None:
    screen = start([*thinks("2 + 3 = 5"), *stops(), *answers("5")], "2 + 3?")
    assert screen.finish() == 0
    assert screen.text == (
        f"{ADVICE}thought for 3.2 s · 118 of 512 tokens · stopped by itself\n"
        "5\n"
        "7 tokens · 43 tok/s · first token after 0.25 s"
    )
    assert not screen.cursor_hidden


def test_quiet_in_a_terminal_shows_the_answer_alone(start: Callable[..., Screen]) -> None:
    screen = start([*thinks("2 + 3 = 5"), *stops(), *answers("**5**")], "2 + 3?", "--quiet")
    assert screen.finish() == 0
    assert screen.text == "5"


def test_ctrl_c_while_thinking_leaves_a_tidy_screen(start: Callable[..., Screen]) -> None:
    screen = start([*thinks("2 + 3 = 5"), Hold()], "2 + 3?", "-m", "tiny")
    screen.wait_for("1/512")
    screen.type("\x03")
    assert screen.finish() == 130
    assert screen.text == ""
    assert not screen.cursor_hidden


def test_ctrl_c_keeps_what_was_answered(start: Callable[..., Screen]) -> None:
    screen = start([*answers("Once upon"), Hold()], "A tale", "-m", "tiny")
    screen.wait_for("Once upon")
    screen.type("\x03")
    assert screen.finish() == 130
    assert screen.text == "Once upon"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_killed_it_leaves_the_terminal_as_it_was(
    start: Callable[..., Screen], number: signal.Signals
) -> None:
    screen = start([*thinks("2 + 3 = 5"), Hold()], "2 + 3?", "-m", "tiny")
    screen.wait_for("1/512")
    assert screen.cursor_hidden
    assert not screen.echoes
    screen.signal(number)
    screen.wait_until(lambda: not screen.cursor_hidden, "the cursor")
    screen.wait_until(lambda: screen.echoes, "the echo")
    assert screen.finish() == 128 + number


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stdout:
        process = piped(program(answers("5"), "2 + 3?"), stdout)
        _, complaints = process.communicate()
    assert process.returncode == 1
    assert b"Traceback" not in complaints


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    ("where", "why"),
    [
        (">&-", "Bad file descriptor"),
        pytest.param(">/dev/full", "No space left on device", marks=NEEDS_FULL),
    ],
)
def test_an_answer_that_cannot_be_written_is_an_error(
    monkeypatch: pytest.MonkeyPatch, where: str, why: str, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = redirected(where, program(answers("5"), "2 + 3?"))
    assert done.returncode == 1
    assert done.stderr.endswith(f"Error: the output cannot be written: {why}\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "where", ["2>&-", pytest.param("2>/dev/full", marks=NEEDS_FULL), "<&-", "<&- 2>&-"]
)
def test_an_answer_needs_no_other_stream(
    monkeypatch: pytest.MonkeyPatch, where: str, unbuffered: str
) -> None:
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    done = redirected(where, [sys.executable, "-m", "qwen3_mlx", "ask", "-m", "tiny", "2 + 3?"])
    assert (done.stdout, done.returncode) == ("The answer is 5.\n", 0)


@NEEDS_FULL
@pytest.mark.parametrize("args", [["--version"], ["--help"], ["models"]])
def test_what_a_command_cannot_write_is_an_error(args: list[str]) -> None:
    done = redirected(">/dev/full", [sys.executable, "-m", "qwen3_mlx", *args])
    assert done.returncode == 1
    assert done.stderr == "Error: the output cannot be written: No space left on device\n"


def redirected(where: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    """What comes of a command with that redirection of a shell."""
    shell = ["sh", "-c", f'exec "$@" {where}', "sh"]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [*shell, *command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env=environment,
        check=False,
    )


def test_the_command_is_a_module_too(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "qwen3_mlx", "ask"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: there is nothing to ask\n")
