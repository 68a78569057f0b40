"""Files that are not those that were recorded, and files that lie somewhere else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen3_mlx.bundled import NAMES, bundled_path
from qwen3_mlx.checkpoint import recorded
from qwen3_mlx.checkpoint.companions import SMALL_FILES, check_companions
from qwen3_mlx.checkpoint.recorded import check_recorded, digests, recorded_digests
from qwen3_mlx.errors import ModelFileError

WEIGHTS = "model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A converted model, which nobody opens."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / WEIGHTS).write_bytes((2).to_bytes(8, "little") + b"{}" + b"numbers")
    files = {"config.json": b"{}", "tokenizer.json": b"[]", "LICENSE": b"as is"}
    for name, data in files.items():
        (folder / name).write_bytes(data)
    shards = {WEIGHTS: hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()}
    (folder / "conversion.json").write_text(json.dumps(digests(folder, shards, files)))
    return folder


def test_what_is_recorded(folder: Path) -> None:
    whole, headers = recorded_digests(folder), recorded_digests(folder, "headers")
    assert whole["config.json"] == hashlib.sha256(b"{}").hexdigest()
    assert sorted(whole) == ["config.json", WEIGHTS, "tokenizer.json"]
    start = (2).to_bytes(8, "little") + b"{}"
    assert headers == {WEIGHTS: hashlib.sha256(start).hexdigest()}


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_models_are_recorded(name: str) -> None:
    folder = bundled_path(name)
    check_recorded(folder)
    there = {path.name for path in folder.iterdir()} & set(SMALL_FILES)
    assert recorded_digests(folder).keys() == there | {WEIGHTS}


def test_what_was_made_is_taken(folder: Path) -> None:
    check_recorded(folder)
    (folder / "LICENSE").write_text("other words")
    check_recorded(folder)


def put(name: str, data: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(data)


NUMBERS = put(WEIGHTS, (2).to_bytes(8, "little") + b"{}" + b"Numbers")
HEADER = put(WEIGHTS, (2).to_bytes(8, "little") + b"[]" + b"numbers")
CHANGES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "other bytes": ("config.json", put("config.json", b"{ }")),
    "a file more": ("generation_config.json", put("generation_config.json", b"{}")),
    "other numbers": (WEIGHTS, NUMBERS),
    "another header": (WEIGHTS, HEADER),
}


@pytest.mark.parametrize("change", CHANGES)
def test_another_file_is_refused(folder: Path, change: str) -> None:
    name, apply = CHANGES[change]
    apply(folder)
    with pytest.raises(ModelFileError) as caught:
        check_recorded(folder)
    assert caught.value.message == (f"{folder / name} is not the file that conversion.json records")
    assert caught.value.hint is not None
    assert "take sha256 out of conversion.json" in caught.value.hint


def test_a_file_less_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError, match=r"tokenizer\.json is missing"):
        check_recorded(folder)


def test_of_large_weights_the_header_counts(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their numbers are left to `verify`."""
    monkeypatch.setattr(recorded, "MOST_BYTES", 10)
    NUMBERS(folder)
    check_recorded(folder)
    HEADER(folder)
    with pytest.raises(ModelFileError, match="is not the file"):
        check_recorded(folder)


def test_where_nothing_is_recorded_nothing_is_refused(folder: Path) -> None:
    (folder / "conversion.json").write_text("{}")
    NUMBERS(folder)
    check_recorded(folder)
    (folder / "conversion.json").unlink()
    check_recorded(folder)


def test_a_record_from_before_small_files_were_recorded(folder: Path) -> None:
    whole = {WEIGHTS: recorded_digests(folder)[WEIGHTS]}
    (folder / "conversion.json").write_text(json.dumps({"sha256": whole}))
    put("config.json", b"other")(folder)
    check_recorded(folder)
    NUMBERS(folder)
    with pytest.raises(ModelFileError, match="is not the file"):
        check_recorded(folder)


def test_a_pruned_folder_has_its_own_record(folder: Path) -> None:
    (folder / "conversion.json").rename(folder / "pruning.json")
    check_recorded(folder)
    NUMBERS(folder)
    with pytest.raises(ModelFileError, match=r"is not the file that pruning\.json records"):
        check_recorded(folder)


@pytest.mark.parametrize("stated", [[], {"config.json": 1}, "x", {"../x": "0"}, {"/dev/zero": ""}])
def test_a_record_that_is_none(folder: Path, stated: object) -> None:
    (folder / "conversion.json").write_text(json.dumps({"sha256": stated}))
    with pytest.raises(ModelFileError, match=r"no object of digests|not the plain name"):
        check_recorded(folder)


@pytest.mark.parametrize("name", SMALL_FILES)
class TestCompanions:
    def test_a_file_or_none_is_taken(self, folder: Path, name: str) -> None:
        (folder / name).unlink(missing_ok=True)
        check_companions(folder)
        (folder / name).touch()
        check_companions(folder)

    def test_a_link_within_the_folder_is_taken(self, folder: Path, name: str) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to("LICENSE")
        check_companions(folder)

    @pytest.mark.parametrize("target", ["../x", "nothing", "/dev/zero"])
    def test_a_link_to_elsewhere_is_refused(self, folder: Path, name: str, target: str) -> None:
        (folder.parent / "x").touch()
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)
        with pytest.raises(ModelFileError, match=name.replace(".", "[.]")):
            check_companions(folder)

    def test_what_is_no_file_is_refused(self, folder: Path, name: str) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)
        with pytest.raises(ModelFileError, match=f"{name} is not a regular file"):
            check_companions(folder)

    def test_a_snapshot_of_the_hub_is_links_to_blobs(self, folder: Path, name: str) -> None:
        snapshot, blobs = (folder.parent / part for part in ("repo/snapshots/1", "repo/blobs"))
        blobs.mkdir(parents=True)
        shutil.copytree(folder, snapshot)
        (blobs / "b").touch()
        (snapshot / name).unlink(missing_ok=True)
        (snapshot / name).symlink_to("../../blobs/b")
        check_companions(snapshot)
