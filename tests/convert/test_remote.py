"""A model on the Hub, converted a file at a time from a hub on the loopback interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.convert import Progress, convert, outlook
from qwen3_mlx.convert import remote as remote_module
from qwen3_mlx.errors import (
    ConversionError,
    FetchError,
    ModelFileError,
    ModelNotFoundError,
    UsageError,
)

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint
    from tests.fake_hub import FakeHub

REPO = "somebody/Qwen3-mini"
SHARDS = [f"model-0000{n}-of-00004.safetensors" for n in range(1, 5)]
# The card says what was compared, which a source that is not kept cannot be once more.
CARD = "README.md"


@pytest.fixture
def source(moe: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkpoint in four files, one after another as Qwen publishes them."""
    monkeypatch.setattr(remote_module, "FIRST_READ", 64)  # shorter than their headers
    folder = moe.save(tmp_path / "source")
    (folder / "model.safetensors").unlink()
    arrays = list(moe.stored().items())
    size = -(-len(arrays) // len(SHARDS))
    places = {name: SHARDS[i // size] for i, (name, _) in enumerate(arrays)}
    for shard in SHARDS:
        held = {name: array for name, array in arrays if places[name] == shard}
        mx.save_safetensors(str(folder / shard), held, {"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    return folder


@pytest.fixture
def published(hub: FakeHub, source: Path) -> FakeHub:
    hub.add(REPO, contents(source))
    return hub


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def weights(folder: Path) -> dict[str, bytes]:
    return {n: data for n, data in contents(folder).items() if n.endswith(".safetensors")}


def times_fetched(hub: FakeHub) -> dict[str, int]:
    names = [name for name, _ in hub.fetched]
    return {name: names.count(name) for name in names if name.endswith(".safetensors")}


def test_the_result_is_that_of_the_same_files_on_the_disk(
    published: FakeHub, source: Path, tmp_path: Path
) -> None:
    there = convert(source, tmp_path / "there")
    remote = convert(REPO, tmp_path / "remote", delete_source=True)
    assert weights(remote) == weights(there)
    different = {n for n, d in contents(remote).items() if d != contents(there)[n]}
    assert different <= {CARD, "conversion.json"}
    origins = [json.loads((f / "conversion.json").read_text())["source"] for f in (remote, there)]
    assert origins[0]["sha256"] == origins[1]["sha256"]
    assert origins[0]["name"] == REPO
    assert times_fetched(published) == dict.fromkeys(SHARDS, 1)
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_the_disk_holds_no_more_than_two_of_the_files(published: FakeHub, tmp_path: Path) -> None:
    there: list[int] = []

    def look(_: Progress) -> None:
        there.append(len(list(tmp_path.glob(".out.source/*/*.fetched"))))

    convert(REPO, tmp_path / "out", delete_source=True, progress=look)
    assert max(there) <= 2
    assert there[-1] == 0
    assert len(times_fetched(published)) == len(SHARDS)


def test_without_it_the_source_is_kept_where_every_program_finds_it(
    published: FakeHub, source: Path, tmp_path: Path
) -> None:
    seen: list[tuple[str, int, int]] = []
    made = convert(REPO, tmp_path / "out", fetched=lambda *state: seen.append(state))
    assert weights(made) == weights(convert(source, tmp_path / "there"))
    assert seen[-1][0] == REPO
    assert seen[-1][1] == seen[-1][2]
    fetched = len(published.fetched)
    convert(REPO, tmp_path / "again")
    assert len(published.fetched) == fetched


def test_a_connection_that_drops_is_taken_up_again(
    published: FakeHub, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is cut off inside a chunk, 10 MB otherwise, is fetched again.
    monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
    published.cut_after[SHARDS[2]] = 5000
    made = convert(REPO, tmp_path / "out", delete_source=True)
    assert weights(made) == weights(convert(source, tmp_path / "there"))
    assert [start for name, start in published.fetched if name == SHARDS[2]] == [0, 5000]


def test_a_hub_that_fails_for_good_leaves_what_the_next_try_goes_on_with(
    published: FakeHub, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen3_mlx.convert.plan.SHARD_BYTES", 40_000)
    published.fail.add(SHARDS[3])
    with pytest.raises(FetchError, match=f"fetching {REPO} broke off"):
        convert(REPO, tmp_path / "out", delete_source=True)
    assert not (tmp_path / "out").exists()
    published.fail.clear()
    published.fetched.clear()
    made = convert(REPO, tmp_path / "out", delete_source=True)
    assert weights(made) == weights(convert(source, tmp_path / "there"))
    assert SHARDS[0] not in times_fetched(published)


def test_files_that_are_not_the_hub_s_are_refused(published: FakeHub, tmp_path: Path) -> None:
    data = published.repos[REPO][SHARDS[1]]
    published.forged[SHARDS[1]] = data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(FetchError, match=f"{SHARDS[1]} did not arrive as it is in {REPO}"):
        convert(REPO, tmp_path / "out", delete_source=True)


def test_another_kind_of_model_is_refused_before_its_weights_come(
    published: FakeHub, tmp_path: Path
) -> None:
    published.repos[REPO]["config.json"] = b'{"model_type": "llama"}'
    with pytest.raises(ModelFileError, match="llama"):
        convert(REPO, tmp_path / "out", delete_source=True)
    assert times_fetched(published) == {}
    assert [p.name for p in tmp_path.iterdir() if "out" in p.name] == []


def test_a_file_that_the_index_names_and_nobody_has_is_named(
    published: FakeHub, tmp_path: Path
) -> None:
    del published.repos[REPO][SHARDS[1]]
    with pytest.raises(ModelFileError, match=f"{REPO} has no file {SHARDS[1]}"):
        convert(REPO, tmp_path / "out", delete_source=True)


def test_only_what_was_fetched_for_it_is_deleted(
    published: FakeHub, source: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="is on this machine"):
        convert(source, tmp_path / "out", delete_source=True)
    convert(REPO, tmp_path / "out")
    with pytest.raises(UsageError, match="is on this machine"):
        convert(REPO, tmp_path / "out2", delete_source=True)
    assert source.is_dir()


@pytest.mark.parametrize("delete_source", [False, True])
def test_a_repository_that_does_not_exist_is_named(
    hub: FakeHub, tmp_path: Path, delete_source: bool
) -> None:
    with pytest.raises(ModelNotFoundError, match="has no model nobody/nothing"):
        convert("nobody/nothing", tmp_path / "out", delete_source=delete_source)


def test_a_plan_needs_no_weights(published: FakeHub, source: Path) -> None:
    assert outlook(REPO) == outlook(source)
    assert times_fetched(published) == {}


def test_a_second_converter_leaves_the_firsts_files_alone(
    published: FakeHub, tmp_path: Path
) -> None:
    """It is refused before it fetches, and removes nothing: every file is fetched once."""
    refused: list[str] = []

    def progress(_: Progress) -> None:
        if refused:
            return
        with pytest.raises(ConversionError, match="out is being written by process") as caught:
            convert(REPO, tmp_path / "out", delete_source=True)
        refused.append(str(caught.value))

    convert(REPO, tmp_path / "out", delete_source=True, progress=progress)
    assert len(refused) == 1
    assert times_fetched(published) == dict.fromkeys(SHARDS, 1)


def test_a_destination_that_cannot_be_written(published: FakeHub, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConversionError, match="could not be written: File exists"):
        convert(REPO, tmp_path / "file" / "out", delete_source=True)
    assert times_fetched(published) == {}
