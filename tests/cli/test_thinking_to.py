"""`ask --thinking-to`: what is in the file, when, and which files are refused."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from qwen3_mlx.cli.thoughts_file import ThoughtsFile, kept_thoughts
from qwen3_mlx.errors import ModelFileError, Qwen3Error
from qwen3_mlx.events import AnswerDelta, Event, ThinkingDelta
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers, stops, thinks
from tests.cli.screen import REPOSITORY

THOUGHTS = thinks("47 + 86", " = 133", "\n", "\x1b[2J ok")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the thoughts go."""
    return tmp_path / "thoughts.txt"


@pytest.mark.parametrize("form", [[], ["--json"], ["--jsonl"], ["--quiet"]])
def test_the_thoughts_are_in_the_file_as_they_were_thought(
    invoke: Invoke, llm: FakeLLM, file: Path, form: list[str]
) -> None:
    file.write_text("what was there before, longer than what comes")
    llm.enqueue(THOUGHTS, stops(), answers("133"))
    assert invoke("ask", "Sum?", "--thinking-to", str(file), *form).exit_code == 0
    assert file.read_text() == "47 + 86 = 133\n\x1b[2J ok\n"


def test_they_are_shown_as_well(invoke: Invoke, llm: FakeLLM, file: Path) -> None:
    llm.enqueue(THOUGHTS, stops(), answers("133"))
    result = invoke("ask", "Sum?", "--thinking-to", str(file))
    assert result.stdout == "133\n"
    assert result.stderr.startswith("[thinking 3/512] 47 + 86 = 133\n")


def test_without_thoughts_the_file_is_empty(invoke: Invoke, llm: FakeLLM, file: Path) -> None:
    llm.enqueue(answers("133"))
    invoke("ask", "Sum?", "--thinking-to", str(file))
    assert file.read_text() == ""


def test_each_thought_is_there_before_the_next(file: Path) -> None:
    seen = []
    with kept_thoughts(file, []) as keep:
        for event in (ThinkingDelta("2 + 3", 1, 8), ThinkingDelta("", 2, 8), AnswerDelta("5")):
            assert keep(event) is event
            seen.append(file.read_text())
    assert seen == ["2 + 3", "2 + 3", "2 + 3"]


def test_a_turn_that_fails_leaves_its_thoughts(invoke: Invoke, llm: FakeLLM, file: Path) -> None:
    llm.enqueue(thinks("2 + 3"), [ModelFileError("damaged")])
    assert invoke("ask", "Sum?", "--thinking-to", str(file)).exit_code == 5
    assert file.read_text() == "2 + 3"


@pytest.mark.parametrize(
    ("name", "said", "code"),
    [
        ("-", "--thinking-to takes a file: standard output is for the answer alone", 2),
        ("{0}", "{0} cannot be written: Is a directory", 1),
        ("{0}/no/thoughts", "{0}/no/thoughts cannot be written: No such file or directory", 1),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_the_model_is_loaded(
    invoke: Invoke, llm: FakeLLM, tmp_path: Path, name: str, said: str, code: int
) -> None:
    result = invoke("ask", "Sum?", "--thinking-to", name.format(tmp_path))
    assert result.exit_code == code
    assert result.stderr.splitlines()[0] == f"Error: {said.format(tmp_path)}"
    assert llm.loaded == {}


def test_a_file_that_is_asked_about_is_not_lost(invoke: Invoke, llm: FakeLLM, file: Path) -> None:
    file.write_text("Ann has 2.")
    link = file.with_name("link")
    link.symlink_to(file)
    result = invoke("ask", "--file", str(file), "--thinking-to", str(link))
    assert result.exit_code == 2
    assert f"{link} is part of the question" in result.stderr
    assert file.read_text() == "Ann has 2."


class Full:
    """A file on a disk that is full."""

    def write(self, text: str) -> int:
        """Refuses."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named() -> None:
    keep = ThoughtsFile(Path("thoughts.txt"), Full()).keep  # type: ignore[arg-type]
    with pytest.raises(Qwen3Error) as caught:
        keep(ThinkingDelta("2 + 3", 1, 8))
    said = "thoughts.txt cannot be written: No space left on device; 5 bytes are needed"
    assert caught.value.message == said


@pytest.fixture
def pipe_without_reader() -> Iterator[int]:
    """The writing end."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


def test_a_reader_of_thoughts_that_goes_away_ends_it_quietly(pipe_without_reader: int) -> None:
    turn: list[Event] = [ThinkingDelta("2 + 3", 1, 8), AnswerDelta("5")]
    code = f"from tests.cli.fakes import *\nrun({[turn]!r})"
    name = f"/dev/fd/{pipe_without_reader}"
    done = subprocess.run(
        [sys.executable, "-c", code, "ask", "2 + 3?", "--thinking-to", name],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        pass_fds=[pipe_without_reader],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"Traceback" not in done.stderr
