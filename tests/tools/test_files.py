"""Files below one folder: what may be read, and every way out that is closed."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import pytest

from qwen3_mlx.errors import ToolError, UsageError
from qwen3_mlx.tools import files
from qwen3_mlx.tools.files import MAX_BYTES, file_tools
from qwen3_mlx.tools.folder import OpenFolder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with some files, and a secret beside it."""
    (tmp_path / "secret.txt").write_text("secret")
    folder = tmp_path / "open"
    (folder / "notes" / "deep").mkdir(parents=True)
    (folder / "notes" / "one.txt").write_text("first\nsecond\n")
    (folder / "top.md").write_text("# Top")
    (folder / ".env").write_text("KEY=1")
    return folder


def read(folder: Path, path: str) -> str:
    return file_tools(folder)[0].call({"path": path})


def entries(folder: Path, path: str) -> str:
    return file_tools(folder)[1].call({"path": path})


def test_their_descriptions(folder: Path) -> None:
    reading, listing = (json.dumps(tool.schema["function"]) for tool in file_tools(folder))
    form = (
        '{{"name": "{}", "description": "{}", "parameters": {{"type": "object", "properties": '
        '{{"path": {{"type": "string", "description": "{}"}}}}, "required": ["path"]}}}}'
    )
    where = "The file, from the folder that may be read."
    assert reading == form.format("read_file", "Read a text file.", where)
    where = "The folder; . is the topmost."
    assert listing == form.format("list_files", "List what is in a folder.", where)


def test_files_are_read(folder: Path) -> None:
    assert read(folder, "top.md") == "# Top"
    assert read(folder, "notes/one.txt") == "first\nsecond\n"
    assert read(folder, "./notes/deep/../one.txt") == "first\nsecond\n"


def test_folders_are_listed(folder: Path) -> None:
    assert entries(folder, ".") == "notes/\ntop.md"
    assert entries(folder, "") == "notes/\ntop.md"
    assert entries(folder, "notes") == "deep/\none.txt"
    assert entries(folder, "notes/deep") == "[the folder is empty]"


def test_links_inside_work(folder: Path) -> None:
    (folder / "link").symlink_to("notes/one.txt")
    (folder / "way").symlink_to(folder / "notes")
    assert read(folder, "link") == "first\nsecond\n"
    assert read(folder, "way/one.txt") == "first\nsecond\n"


def test_the_folder_may_itself_be_a_link(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    assert read(tmp_path / "alias", "top.md") == "# Top"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("../secret.txt", "is outside of the folder that may be read"),
        ("notes/../../secret.txt", "is outside of the folder that may be read"),
        ("../nothing", "is outside of the folder that may be read"),
        ("out", "is outside of the folder that may be read"),
        ("way_out/secret.txt", "is outside of the folder that may be read"),
        ("/etc/passwd", "does not begin in the folder"),
        (".env", "is hidden"),
        ("visible", "is hidden"),
        ("nothing.txt", "there is no 'nothing.txt'"),
        ("top.md/one", "cannot be read"),
        ("circle", "cannot be read"),
        ("a\0b", "cannot be read"),
        ("\ud800", "cannot be read"),
        ("x" * 5000, "cannot be read"),
        ("notes", "is a folder"),
        ("pipe", "is no regular file"),
        ("socket", "is no regular file"),
        ("bytes", "is not UTF-8 text"),
        ("zeros", "is not text: it holds zero bytes"),
    ],
)
def test_what_is_refused(
    folder: Path, path: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "out").symlink_to("../secret.txt")
    (folder / "way_out").symlink_to("..")
    (folder / "visible").symlink_to(".env")
    (folder / "circle").symlink_to("circle")
    (folder / "bytes").write_bytes(b"caf\xe9")
    (folder / "zeros").write_bytes(b"a\0b")
    os.mkfifo(folder / "pipe")
    monkeypatch.chdir(folder)  # the path of a socket has a bound of its own
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        with pytest.raises(ToolError) as refused:
            read(folder, path)
    assert said in refused.value.message
    assert "secret" not in refused.value.message.replace("secret.txt", "")


def test_an_absolute_path_into_the_folder_is_refused_too(folder: Path) -> None:
    with pytest.raises(ToolError, match="does not begin in the folder"):
        read(folder, str(folder / "top.md"))


@pytest.mark.parametrize(("path", "gone"), [("notes/one.txt", "notes"), ("top.md", "top.md")])
def test_a_link_put_there_after_the_check_leads_nowhere(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, gone: str
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "one.txt").write_text("secret")
    check = OpenFolder._parts

    def check_and_swap(self: OpenFolder, path: str) -> tuple[str, ...]:
        parts = check(self, path)
        (folder / gone).rename(folder / "moved")
        (folder / gone).symlink_to(outside if gone == "notes" else outside / "one.txt")
        return parts

    monkeypatch.setattr(OpenFolder, "_parts", check_and_swap)
    with pytest.raises(ToolError, match=r"cannot be read|no regular file"):
        read(folder, path)


def test_a_long_file_is_cut_and_says_so(folder: Path) -> None:
    (folder / "long").write_bytes(b"x" + "é".encode() * 200_000)
    shown = "x" + "é" * ((MAX_BYTES - 1) // 2)  # the half of a character is left out
    assert read(folder, "long") == (
        f"{shown}\n[cut: these are the first {MAX_BYTES} of 400001 bytes]"
    )
    (folder / "full").write_bytes(b"y" * MAX_BYTES)
    assert read(folder, "full") == "y" * MAX_BYTES


def test_a_mark_and_line_ends_of_windows_are_left_out(folder: Path) -> None:
    (folder / "dos").write_bytes(b"\xef\xbb\xbfone\r\ntwo\r\n")
    assert read(folder, "dos") == "one\ntwo\n"


def test_many_names_are_cut(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MAX_ENTRIES", 2)
    for name in "cab":
        (folder / "notes" / "deep" / name).touch()
    assert entries(folder, "notes/deep") == "a\nb\n[cut: 1 more]"


def test_a_name_is_one_line_of_text_whatever_it_holds(folder: Path) -> None:
    (folder / "notes" / "deep" / "two\nlines").touch()
    assert entries(folder, "notes/deep") == "two�lines"


def test_listing_a_file_is_refused(folder: Path) -> None:
    with pytest.raises(ToolError, match=r"'top\.md' is no folder"):
        entries(folder, "top.md")


def test_a_folder_that_is_none_is_refused_at_once(folder: Path) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        file_tools(folder / "nothing")
    with pytest.raises(UsageError, match="is no folder"):
        file_tools(folder / "top.md")
