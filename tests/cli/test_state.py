"""Files of the state folder: replaced in one step, or not at all."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from qwen3_mlx.cli.state import ABANDONED, replace_file
from qwen3_mlx.errors import Qwen3Error, UsageError


def fails(code: int) -> Callable[..., NoReturn]:
    def fail(*_: object) -> NoReturn:
        raise OSError(code, os.strerror(code))

    return fail


def test_a_file_is_replaced_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file"
    for text in ("old", "größer\r\n"):
        replace_file(path, text)
        assert path.read_bytes() == text.encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_half_a_surrogate_pair_is_written_as_json_escapes_it(tmp_path: Path) -> None:
    replace_file(tmp_path / "file", '"\ud800"')
    assert (tmp_path / "file").read_bytes() == b'"\\ud800"'


@pytest.mark.parametrize(
    ("code", "needed", "hint"),
    [
        (errno.ENOSPC, "; 2,000 bytes are needed", "Free some space on that disk."),
        (errno.EFBIG, "; 2,000 bytes are needed", None),
        (errno.EACCES, "", None),
        (errno.EIO, "", None),
    ],
)
def test_what_cannot_be_written_is_named_with_its_size_if_that_matters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, needed: str, hint: str | None
) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    monkeypatch.setattr(os, "fsync", fails(code))
    with pytest.raises(Qwen3Error) as caught:
        replace_file(path, "é" * 1000)
    why = os.strerror(code)
    assert caught.value.message == f"{path} cannot be written: {why}{needed}"
    assert caught.value.hint == hint
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "seconds", "goes"),
    [
        (".file.abcd1234.new", ABANDONED + 60, True),
        (".file.abcd1234.new", ABANDONED - 60, False),
        (".other.abcd1234.new", ABANDONED + 60, False),
        (".file.new", ABANDONED + 60, False),
        ("file.abcd1234.new", ABANDONED + 60, False),
    ],
)
def test_what_a_killed_process_left_goes_after_an_hour(
    tmp_path: Path, name: str, seconds: int, goes: bool
) -> None:
    left = tmp_path / name
    left.touch()
    os.utime(left, (time.time() - seconds,) * 2)
    replace_file(tmp_path / "file", "new")
    assert left.exists() is not goes


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(path := tmp_path / "pipe")
    with pytest.raises(UsageError, match="pipe is no file that could be replaced"):
        replace_file(path, "new")
    assert path.is_fifo()
