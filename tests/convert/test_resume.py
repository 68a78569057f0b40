"""Conversions that were killed, or that meet each other or another source."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.convert import Progress, convert, job, plan
from qwen3_mlx.convert.ledger import LEDGER, OTHER_JOB
from qwen3_mlx.convert.writer import ShardWriter
from qwen3_mlx.errors import ConversionError

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

PROGRAM = Path(__file__).with_name("kill_points.py")
HOLDER = Path(__file__).with_name("held_conversion.py")
KILLS = 20


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def source(moe: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint in two files that makes nine shards."""
    monkeypatch.setattr(plan, "SHARD_BYTES", 40_000)
    return moe.save(tmp_path / "source", shards=2)


class Stopped(BaseException):
    """What stops a conversion in these tests, as Ctrl-C would."""


def stop_after(shards: int, destination: Path) -> Callable[[Progress], None]:
    """Stops once so many shards are noted."""

    def progress(_: Progress) -> None:
        found = list(destination.parent.glob(f".{destination.name}.partial/*.safetensors"))
        if len(found) > shards:
            raise Stopped

    return progress


@pytest.fixture
def stopped(source: Path, tmp_path: Path) -> Path:
    """A destination whose conversion was stopped after two of its shards."""
    destination = tmp_path / "out"
    with pytest.raises(Stopped):
        convert(source, destination, progress=stop_after(2, destination))
    return destination


def partial(destination: Path) -> Path:
    return destination.with_name(f".{destination.name}.partial")


def test_killed_at_random_points_it_goes_on_to_the_same_bytes(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    folder.mkdir()
    run = subprocess.run(
        [sys.executable, PROGRAM, source, folder, str(KILLS)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert run.stderr == ""
    ends = run.stdout.splitlines()
    assert len(ends) == KILLS
    assert {line.split()[0] for line in ends} == {str(-signal.SIGKILL)}
    assert {line.split()[-1] for line in ends} == {"0"}
    assert sum("False, True" in line for line in ends) > KILLS // 2
    whole = contents(folder / "whole")
    assert all(contents(folder / str(number)) == whole for number in range(KILLS))
    names = {"whole", *map(str, range(KILLS))}
    assert {path.name for path in folder.iterdir()} == names


def test_finished_shards_are_not_written_again(
    source: Path, stopped: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    begin = ShardWriter.__init__

    def noted(self: ShardWriter, path: Path, *rest: object) -> None:
        written.append(path.name)
        begin(self, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(ShardWriter, "__init__", noted)
    seen: list[Progress] = []
    convert(source, stopped, progress=seen.append)
    assert [int(name[6:11]) for name in written] == [3, 4, 5, 6, 7, 8, 9]
    assert seen[-1].done_bytes == seen[-1].total_bytes
    assert contents(stopped) == contents(convert(source, tmp_path / "whole"))


def test_a_finished_shard_that_was_damaged_is_written_again(
    source: Path, stopped: Path, tmp_path: Path
) -> None:
    shard = next(partial(stopped).glob("model-00001-*"))
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    assert contents(convert(source, stopped)) == contents(convert(source, tmp_path / "whole"))


def test_a_source_that_changed_is_noticed(source: Path, stopped: Path) -> None:
    shard = source / "part-1.safetensors"
    times = shard.stat()
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    os.utime(shard, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(ConversionError, match=r"part-1\.safetensors has changed") as caught:
        convert(source, stopped)
    assert "again" in (caught.value.hint or "")
    assert [path.name for path in stopped.parent.iterdir()] == ["source"]


def change_recipe(monkeypatch: pytest.MonkeyPatch) -> str:
    return "8bit"


def change_version(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(job, "versions", lambda: {"mlx": "0.0"})
    return "4bit"


@pytest.mark.parametrize("change", [change_recipe, change_version])
def test_another_job_begins_again_and_says_so(
    source: Path,
    stopped: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[pytest.MonkeyPatch], str],
) -> None:
    recipe, notes = change(monkeypatch), list[str]()
    other = convert(source, stopped, recipe, note=notes.append)
    assert notes == [OTHER_JOB]
    assert contents(other) == contents(convert(source, tmp_path / "whole", recipe))


def test_nothing_is_said_where_it_goes_on(source: Path, stopped: Path) -> None:
    notes: list[str] = []
    convert(source, stopped, note=notes.append)
    assert notes == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"job": 1}'])
def test_a_ledger_that_cannot_be_read_is_no_ledger(
    source: Path, stopped: Path, tmp_path: Path, text: str
) -> None:
    (partial(stopped) / LEDGER).write_text(text)
    assert contents(convert(source, stopped)) == contents(convert(source, tmp_path / "whole"))


def test_a_folder_left_where_shards_are_kept_is_removed(source: Path, stopped: Path) -> None:
    """From a model that was replaced: a kill came before its files were removed."""
    cache = partial(stopped) / ".cache" / "huggingface"
    cache.mkdir(parents=True)
    (cache / "download").touch()
    assert ".cache" not in contents(convert(source, stopped))


def test_a_full_disk_keeps_what_is_finished_and_says_where(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = ShardWriter.append, iter(range(1000))

    def fill_up(self: ShardWriter, name: str, rows: mx.array) -> None:
        if next(calls) == 60:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, name, rows)

    monkeypatch.setattr(ShardWriter, "append", fill_up)
    with pytest.raises(ConversionError, match=r"No space .*; 0\.\d MB are needed") as caught:
        convert(source, tmp_path / "out")
    assert str(partial(tmp_path / "out")) in (caught.value.hint or "")
    assert (partial(tmp_path / "out") / LEDGER).exists()


@pytest.fixture
def held(source: Path, tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process, at work on the destination until it is told to go on."""
    with subprocess.Popen(
        [sys.executable, HOLDER, source, tmp_path / "out"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def cli(source: Path, destination: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qwen3_mlx", "convert", source, destination],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_a_second_process_is_told_who_holds_the_destination(
    source: Path, held: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the first one ends as if there had been no other."""
    second = cli(source, tmp_path / "out")
    assert second.returncode == 1
    assert second.stdout == ""
    said = " ".join(second.stderr.split())
    assert f"is being written by process {held.pid} on {socket.gethostname()}" in said
    held.communicate("go on\n", timeout=120)
    assert held.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]
    monkeypatch.undo()  # shards as large as in the other process
    assert contents(tmp_path / "out") == contents(convert(source, tmp_path / "whole"))


def test_a_process_that_was_killed_holds_nothing(
    source: Path, held: subprocess.Popen[str], tmp_path: Path
) -> None:
    held.kill()
    held.wait(timeout=120)
    second = cli(source, tmp_path / "out")
    assert second.returncode == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]
