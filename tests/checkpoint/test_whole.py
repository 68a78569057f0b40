"""Every byte of a model's files against a record, or against what the Hub calls them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint import hub as names
from qwen3_mlx.checkpoint import recorded
from qwen3_mlx.checkpoint.recorded import digests
from qwen3_mlx.checkpoint.whole import Whole, check_whole
from qwen3_mlx.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from tests.fake_hub import FakeHub

WEIGHTS = "model.safetensors"
SOUND = (2).to_bytes(8, "little") + b"{}" + b"numbers"
CHANGED = (2).to_bytes(8, "little") + b"{}" + b"nUmbers"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A converted model whose weights are too large to be compared whole in a load."""
    monkeypatch.setattr(recorded, "MOST_BYTES", 8)
    (tmp_path / WEIGHTS).write_bytes(SOUND)
    (tmp_path / "config.json").write_bytes(b"{}")
    stated = digests(tmp_path, {WEIGHTS: hashlib.sha256(SOUND).hexdigest()}, {"config.json": b"{}"})
    (tmp_path / "conversion.json").write_text(json.dumps(stated))
    return tmp_path


@pytest.fixture
def snapshot(hub: FakeHub, dense: dict[str, object]) -> Path:
    """A model that was fetched: git's digest for the small file, SHA-256 for the weights."""
    files = {"config.json": json.dumps(dense).encode(), WEIGHTS: SOUND}
    hub.add("somebody/Qwen3-mini", files)
    return names.download("somebody/Qwen3-mini")


def test_what_was_made_is_whole(folder: Path) -> None:
    seen: list[tuple[int, int]] = []
    found = check_whole(folder, lambda done, total: seen.append((done, total)))
    assert found == Whole((WEIGHTS, "config.json"), 19, "conversion.json")
    assert seen == [(17, 19), (19, 19)]


def test_a_bundled_model_is_whole() -> None:
    folder = bundled_path("tiny")
    found = check_whole(folder)
    assert found.nbytes == sum((folder / name).stat().st_size for name in found.files)


def test_a_number_that_a_load_does_not_look_at(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(CHANGED)
    recorded.check_recorded(folder)
    with pytest.raises(ModelFileError) as caught:
        check_whole(folder)
    assert (
        caught.value.message == f"{folder / WEIGHTS} is not the file that conversion.json records"
    )


def test_where_nothing_is_known(folder: Path) -> None:
    (folder / "conversion.json").unlink()
    (folder / "LICENSE").symlink_to("config.json")  # a link of one's own is no name of the Hub's
    with pytest.raises(UsageError, match="nothing is known of how the files of") as caught:
        check_whole(folder)
    assert caught.value.hint == ("Compare it with what it was made of: qwen3-mlx verify SRC DST")


def test_what_was_fetched_is_whole(snapshot: Path) -> None:
    nbytes = (snapshot / "config.json").stat().st_size + len(SOUND)
    assert check_whole(snapshot) == Whole(("config.json", WEIGHTS), nbytes, "the Hub")


@pytest.mark.parametrize("name", ["config.json", WEIGHTS])
def test_what_changed_since_it_was_fetched(snapshot: Path, name: str) -> None:
    blob = (snapshot / name).resolve()
    blob.write_bytes(blob.read_bytes()[:-1] + b" ")
    with pytest.raises(ModelFileError) as caught:
        check_whole(snapshot)
    assert caught.value.message == (
        f"{snapshot / name} is not the file that the Hub has: its digest is another one"
    )
    assert caught.value.hint == f"Remove {blob} and fetch the model again."
