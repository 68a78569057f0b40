"""What prune refuses, and what is left of one that was stopped."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.convert import Progress, plan, prune
from qwen3_mlx.convert.ledger import LEDGER, OTHER_JOB
from qwen3_mlx.convert.lock import locked
from qwen3_mlx.errors import (
    ConversionError,
    ModelFileError,
    ModelNotFoundError,
    NonFiniteError,
    Qwen3Error,
    UsageError,
)

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

TINY, DENSE = bundled_path("tiny"), bundled_path("tiny-dense")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("What is 12 + 34? It is 46, of course.", "utf-8")
    return path


@pytest.fixture
def model(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Two layers of eight experts, two for each token, which make several shards."""
    monkeypatch.setattr(plan, "SHARD_BYTES", 100_000)
    checkpoint = make_checkpoint({"hidden_size": 64, "vocab_size": 1600})
    checkpoint.files["tokenizer.json"] = (TINY / "tokenizer.json").read_text("utf-8")
    return checkpoint.save(tmp_path / "model")


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("keep", [7, 129, 0, -1])
def test_a_number_of_experts_that_cannot_stay(keep: int, text: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"{keep} experts of a layer cannot stay") as caught:
        prune(TINY, tmp_path / "out", keep=keep, calibrate=text)
    assert caught.value.hint == "Keep 8 to 128."


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (DENSE, UsageError, "it is a dense model"),
        (TINY / "model.safetensors", UsageError, "is no model folder"),
        ("nowhere", ModelNotFoundError, "nowhere"),
        ("empty", ModelFileError, r"config\.json"),
    ],
)
def test_sources_without_experts_to_remove(
    source: str | Path, kind: type[Qwen3Error], message: str, text: Path, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(kind, match=message):
        prune(tmp_path / source, tmp_path / "out", keep=96, calibrate=text)
    assert not (tmp_path / "out").exists()


def test_an_unknown_method(text: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no method 'magic' to prune by") as caught:
        prune(TINY, tmp_path / "out", keep=96, calibrate=text, method="magic")  # type: ignore[arg-type]
    assert caught.value.hint == "Methods: reap, frequency."


@pytest.mark.parametrize(
    ("data", "message"), [(None, "missing"), (b" ", "empty"), (b"\xff", "UTF")]
)
def test_a_text_that_is_of_no_use(data: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(UsageError, match=f"the calibration text .*{message}"):
        prune(TINY, tmp_path / "out", keep=96, calibrate=path)


def test_a_destination_that_exists_is_replaced_only_by_force(
    model: Path, text: Path, tmp_path: Path
) -> None:
    out = prune(model, tmp_path / "out", keep=6, calibrate=text).folder
    before = contents(out)
    with pytest.raises(UsageError, match="exists"):
        prune(model, out, keep=4, calibrate=text)
    assert contents(out) == before
    prune(model, out, keep=4, calibrate=text, force=True)
    assert contents(out) == contents(prune(model, tmp_path / "new", keep=4, calibrate=text).folder)


def test_a_destination_inside_the_source(model: Path, text: Path) -> None:
    with pytest.raises(UsageError, match="inside the source"):
        prune(model, model / "out", keep=4, calibrate=text)


def test_a_destination_that_another_process_writes(text: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(ConversionError, match="is being written"):
        prune(TINY, tmp_path / "out", keep=96, calibrate=text)


def test_a_number_that_is_none_leaves_nothing(
    make_checkpoint: Callable[..., Checkpoint], text: Path, tmp_path: Path
) -> None:
    """In a place that the text does not reach: an embedding."""
    checkpoint = make_checkpoint({"vocab_size": 1600})
    checkpoint.files["tokenizer.json"] = (TINY / "tokenizer.json").read_text("utf-8")
    checkpoint.arrays["model.embed_tokens.weight"][1599, 3] = float("nan")
    source = checkpoint.save(tmp_path / "source")
    with pytest.raises(NonFiniteError, match=r"embed_tokens\.weight"):
        prune(source, tmp_path / "out", keep=4, calibrate=text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source", "text.txt"]


class Stopped(BaseException):
    """What stops a pruning in these tests, as Ctrl-C would."""


def stop(state: Progress) -> None:
    """In the middle of the second half."""
    if state.stage == "pruning" and state.done_bytes > state.total_bytes / 2:
        raise Stopped


def test_a_pruning_that_was_stopped_goes_on(model: Path, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(Stopped):
        prune(model, out, keep=6, calibrate=text, progress=stop)
    assert not out.exists()
    assert (tmp_path / ".out.partial" / LEDGER).exists()
    prune(model, out, keep=6, calibrate=text)
    assert contents(out) == contents(prune(model, tmp_path / "new", keep=6, calibrate=text).folder)


def test_what_is_finished_of_another_choice_is_not_used(
    model: Path, text: Path, tmp_path: Path
) -> None:
    out, notes = tmp_path / "out", list[str]()
    with pytest.raises(Stopped):
        prune(model, out, keep=6, calibrate=text, progress=stop)
    prune(model, out, keep=5, calibrate=text, note=notes.append)
    assert notes == [OTHER_JOB]
    assert contents(out) == contents(prune(model, tmp_path / "new", keep=5, calibrate=text).folder)


KILLED = """
import os, signal, sys
from qwen3_mlx.convert import prune

def progress(state):
    if state.stage == "pruning" and state.done_bytes > state.total_bytes / 2:
        os.kill(os.getpid(), signal.SIGKILL)

prune(sys.argv[1], sys.argv[2], keep=6, calibrate=sys.argv[3], progress=progress)
"""


def test_a_pruning_that_was_killed_leaves_no_model(model: Path, text: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-c", KILLED, *map(str, (model, out, text))]
    done = subprocess.run(command, check=False, timeout=120)
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    left = {path.name for path in (tmp_path / ".out.partial").iterdir()}
    assert not {"config.json", "pruning.json"} & left
    prune(model, out, keep=6, calibrate=text)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out", "text.txt"]
