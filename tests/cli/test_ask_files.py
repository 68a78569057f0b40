"""`ask --file`: what the model is told, and which files are refused."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qwen3_mlx.cli import files
from qwen3_mlx.cli.files import read_text
from qwen3_mlx.errors import UsageError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, empty."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    return here


def test_files_come_first_then_the_pipe_then_the_prompt(invoke: Invoke, llm: FakeLLM) -> None:
    Path("a.txt").write_text("\nAnn has 2. /no_think\n\n")
    Path("b.txt").write_text("Bob has 3.")
    llm.enqueue(answers("5"))
    invoke("ask", "Sum? /think", "--file", "a.txt", "--file", "./b.txt", stdin="/no_think\n")
    text = "a.txt:\n\nAnn has 2. /no_think\n\nb.txt:\n\nBob has 3.\n\n/no_think\n\nSum? /think"
    assert llm.conversation.asked == [(text, "Sum? /think")]


def test_a_file_alone_is_a_question_that_nobody_typed(invoke: Invoke, llm: FakeLLM) -> None:
    Path("q.txt").write_text("What is 2 + 3? /no_think")
    llm.enqueue(answers("5"))
    assert invoke("ask", "--file", "q.txt").stdout == "5\n"
    assert llm.conversation.asked == [("q.txt:\n\nWhat is 2 + 3? /no_think", "")]


def test_the_name_cannot_pretend_to_be_text(invoke: Invoke, llm: FakeLLM) -> None:
    Path("a\n\x1b[2Jb").write_text("x")
    llm.enqueue(answers("5"))
    invoke("ask", "--file", "a\n\x1b[2Jb")
    assert llm.conversation.asked == [("a b:\n\nx", "")]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", ""),
        (b"one\r\ntwo\r\n", "one\ntwo"),
        (b"\xef\xbb\xbfmarked", "marked"),
        ("モデル 🤖\n".encode(), "モデル 🤖"),
        (b"  indented\n\n\nend  \n", "  indented\n\n\nend  "),
    ],
)
def test_the_text_of_a_file(data: bytes, text: str) -> None:
    Path("a.txt").write_bytes(data)
    assert read_text(Path("a.txt")) == text


def test_a_tilde_is_the_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(folder))
    Path("a.txt").write_text("mine")
    assert read_text(Path("~/a.txt")) == "mine"


def test_a_pipe_is_read_as_a_file_is(invoke: Invoke, llm: FakeLLM) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"Ann has 2.")
    os.close(writing)
    llm.enqueue(answers("2"))
    invoke("ask", "--file", f"/dev/fd/{reading}")
    os.close(reading)
    assert llm.conversation.asked == [(f"/dev/fd/{reading}:\n\nAnn has 2.", "")]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            b"\xff\xfeh\0i\0",
            "a.txt is not UTF-8 text: byte 0xff\n"
            "Convert it first, for example with iconv -t UTF-8.\n",
        ),
        (b"\x7fELF\0\0", "a.txt is not text: it holds zero bytes\n"),
    ],
)
def test_what_is_no_text_is_refused(invoke: Invoke, llm: FakeLLM, data: bytes, said: str) -> None:
    Path("a.txt").write_bytes(data)
    result = invoke("ask", "Sum?", "--file", "a.txt")
    assert (result.exit_code, result.stderr) == (2, f"Error: {said}")
    assert llm.loaded == {}


def test_what_is_not_there_is_refused(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("ask", "Sum?", "--file", "b.txt")
    assert (result.exit_code, result.stderr) == (2, "Error: there is no file b.txt\n")
    assert llm.loaded == {}


def test_a_folder_is_refused(invoke: Invoke, llm: FakeLLM) -> None:
    result = invoke("ask", "Sum?", "--file", "..")
    assert result.exit_code == 2
    assert result.stderr == "Error: .. is a folder\nName a file in it.\n"


def test_what_no_file_can_be_called_is_refused() -> None:
    with pytest.raises(UsageError, match="cannot be read: File name too long"):
        read_text(Path("a" * 300))
    with pytest.raises(UsageError, match="cannot be read: embedded null byte"):
        read_text(Path("a\0b"))


def test_what_no_model_could_read_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST", 10**6)
    Path("a.txt").write_bytes(b"x" * 10**6)
    assert len(read_text(Path("a.txt"))) == 10**6
    with Path("a.txt").open("ab") as file:
        file.write(b"x")
    with pytest.raises(UsageError, match=r"a\.txt is larger than 1 MB"):
        read_text(Path("a.txt"))


def test_piped_input_without_end_is_refused(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST", 10**6)
    result = invoke("ask", "Sum?", stdin="seven\n" * 200_000)
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: the piped input is larger than 1 MB: no model can read that much\n"
    )
    assert llm.loaded == {}


def test_files_that_are_too_large_together_are_refused_before_the_next_is_read(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "MOST", 10**6)
    Path("a").write_text("seven " * 100_000)
    given = [word for name in ("a", "a", "missing") for word in ("--file", name)]
    result = invoke("ask", "Sum?", *given)
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: the files and the question are together larger than 1 MB: no model can read that"
        " much\n"
    )
