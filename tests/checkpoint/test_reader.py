"""Model folders: which files count, what index and headers must agree on, and reading numbers."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.reader import model_tensors, read_header, read_rows, read_tensor
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError

INDEX = "model.safetensors.index.json"
A = {"a": mx.arange(6).reshape(2, 3)}
B = {"b": mx.ones((4,))}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "model"
    path.mkdir()
    return path


def save(path: Path, arrays: dict[str, mx.array]) -> None:
    mx.save_safetensors(str(path), arrays)


def write_index(folder: Path, places: object) -> None:
    (folder / INDEX).write_text(json.dumps({"weight_map": places}), "utf-8")


@pytest.fixture
def sharded(folder: Path) -> Path:
    save(folder / "one.safetensors", A)
    save(folder / "two.safetensors", B)
    write_index(folder, {"a": "one.safetensors", "b": "two.safetensors"})
    return folder


class TestWhichFilesCount:
    def test_one_file(self, folder: Path) -> None:
        save(folder / "model.safetensors", A)
        assert list(model_tensors(folder)) == ["a"]

    def test_the_shards_of_an_index(self, sharded: Path) -> None:
        found = {name: info.file.name for name, info in model_tensors(sharded).items()}
        assert found == {"a": "one.safetensors", "b": "two.safetensors"}

    def test_a_forgotten_shard_is_not_looked_at(self, sharded: Path) -> None:
        save(sharded / "model-00003-of-00003.safetensors", {"a": mx.zeros((9,))})
        (sharded / "model.safetensors").write_bytes(b"rubbish")
        assert model_tensors(sharded)["a"].shape == (2, 3)

    def test_no_weights(self, folder: Path) -> None:
        with pytest.raises(ModelFileError, match=f"neither model.safetensors nor {INDEX} is there"):
            model_tensors(folder)

    @pytest.mark.parametrize("name", ["pytorch_model.bin", "pytorch_model.bin.index.json"])
    def test_a_pickle_is_never_read(self, folder: Path, name: str) -> None:
        (folder / name).write_bytes(b"\x80\x04")
        with pytest.raises(ModelFileError, match="only a pickle, which can run code") as caught:
            model_tensors(folder)
        assert caught.value.hint == "Look for a version of the model in safetensors."


class TestIndexAndHeaders:
    def test_the_same_tensor_in_two_files(self, sharded: Path) -> None:
        save(sharded / "two.safetensors", A | B)
        with pytest.raises(ModelFileError, match=r"the tensor 'a' is in two files: .*one.*two"):
            model_tensors(sharded)

    def test_the_same_tensor_twice_in_the_index(self, sharded: Path) -> None:
        text = '{"weight_map": {"a": "one.safetensors", "a": "two.safetensors"}}'
        (sharded / INDEX).write_text(text, "utf-8")
        with pytest.raises(ModelFileError, match="the key 'a' is there twice"):
            model_tensors(sharded)

    def test_a_tensor_that_no_file_holds(self, sharded: Path) -> None:
        places = {"a": "one.safetensors", "b": "two.safetensors", "c": "two.safetensors"}
        write_index(sharded, places)
        with pytest.raises(ModelFileError, match="places the tensor 'c' in"):
            model_tensors(sharded)

    def test_a_tensor_that_the_index_does_not_name(self, sharded: Path) -> None:
        save(sharded / "two.safetensors", B | {"c": mx.zeros((1,))})
        with pytest.raises(ModelFileError, match=r"two\.safetensors holds the tensor 'c', which"):
            model_tensors(sharded)

    def test_a_tensor_in_another_file_than_the_index_says(self, sharded: Path) -> None:
        write_index(sharded, {"a": "two.safetensors", "b": "one.safetensors"})
        with pytest.raises(ModelFileError, match=r"holds the tensor '.', which .* does not place"):
            model_tensors(sharded)

    @pytest.mark.parametrize("places", [None, {}, [], "model.safetensors"])
    def test_an_index_without_a_map(self, folder: Path, places: object) -> None:
        write_index(folder, places)
        with pytest.raises(ModelFileError, match="weight_map is missing or empty"):
            model_tensors(folder)

    @pytest.mark.parametrize("file", [None, 3, "weights.bin", "", ["one.safetensors"]])
    def test_an_index_that_names_something_else(self, sharded: Path, file: object) -> None:
        write_index(sharded, {"a": file})
        with pytest.raises(ModelFileError, match=r"the tensor 'a' in .*, no safetensors file"):
            model_tensors(sharded)

    def test_a_missing_shard(self, sharded: Path) -> None:
        (sharded / "two.safetensors").unlink()
        with pytest.raises(ModelFileError, match=r"two\.safetensors is missing"):
            model_tensors(sharded)


class TestFilesStayInside:
    @pytest.mark.parametrize(
        "name",
        [
            "../outside.safetensors",
            "/etc/outside.safetensors",
            "sub/inside.safetensors",
            "..\\outside.safetensors",
            "nul\0.safetensors",
        ],
    )
    def test_only_plain_names(self, folder: Path, name: str) -> None:
        save(folder.parent / "outside.safetensors", A)
        write_index(folder, {"a": name})
        with pytest.raises(ModelFileError, match="is not the plain name of a file in the folder"):
            model_tensors(folder)

    @pytest.mark.parametrize("name", ["\ud800.safetensors", "x" * 300 + ".safetensors"])
    def test_names_that_no_file_can_have(self, folder: Path, name: str) -> None:
        write_index(folder, {"a": name})
        with pytest.raises(ModelFileError, match=r"is not valid JSON|cannot be read|is missing"):
            model_tensors(folder)

    def test_a_link_out_of_the_folder(self, folder: Path) -> None:
        save(folder.parent / "outside.safetensors", A)
        (folder / "model.safetensors").symlink_to("../outside.safetensors")
        with pytest.raises(ModelFileError, match=r"is a link to .*, outside the model's folder"):
            model_tensors(folder)

    def test_a_link_within_the_folder(self, folder: Path) -> None:
        save(folder / "weights.safetensors", A)
        (folder / "model.safetensors").symlink_to("weights.safetensors")
        assert list(model_tensors(folder)) == ["a"]

    def test_links_in_a_circle(self, folder: Path) -> None:
        (folder / "model.safetensors").symlink_to("model.safetensors")
        with pytest.raises(ModelFileError, match=r"model\.safetensors"):
            model_tensors(folder)

    @pytest.mark.parametrize("kind", [os.mkfifo, os.mkdir])
    def test_no_regular_file(self, folder: Path, kind: Callable[[Path], None]) -> None:
        kind(folder / "model.safetensors")
        with pytest.raises(ModelFileError, match="is not a regular file"):
            model_tensors(folder)

    def test_a_device(self, folder: Path) -> None:
        (folder / "model.safetensors").symlink_to("/dev/zero")
        with pytest.raises(ModelFileError, match="outside the model's folder"):
            model_tensors(folder)

    def cache_entry(self, root: Path, repo: str) -> Path:
        """A snapshot as huggingface_hub lays it out, its one file a link to a blob."""
        snapshot = root / repo / "snapshots" / "0123abcd"
        (root / repo / "blobs").mkdir(parents=True)
        snapshot.mkdir(parents=True)
        save(root / repo / "blobs" / "feed", A)
        (root / repo / "blobs" / "feed.safetensors").rename(root / repo / "blobs" / "feed")
        (snapshot / "model.safetensors").symlink_to("../../blobs/feed")
        return snapshot

    def test_a_snapshot_of_the_hugging_face_cache(self, tmp_path: Path) -> None:
        snapshot = self.cache_entry(tmp_path, "models--some--one")
        (info,) = model_tensors(snapshot).values()
        assert mx.array_equal(read_tensor(info), A["a"])

    def test_a_snapshot_may_not_link_to_another_repository(self, tmp_path: Path) -> None:
        snapshot = self.cache_entry(tmp_path, "models--some--one")
        self.cache_entry(tmp_path, "models--other--one")
        (snapshot / "model.safetensors").unlink()
        target = "../../../models--other--one/blobs/feed"
        (snapshot / "model.safetensors").symlink_to(target)
        with pytest.raises(ModelFileError, match="outside the model's folder"):
            model_tensors(snapshot)

    def test_the_folder_itself_may_be_a_link(self, folder: Path) -> None:
        save(folder / "model.safetensors", A)
        link = folder.parent / "link"
        link.symlink_to(folder)
        assert list(model_tensors(link)) == ["a"]


class TestNumbers:
    @pytest.mark.parametrize(
        "dtype",
        [mx.bfloat16, mx.float16, mx.float32, mx.uint32, mx.uint8, mx.int32, mx.int64, mx.bool_],
    )
    def test_a_tensor_is_what_was_saved(self, folder: Path, dtype: mx.Dtype) -> None:
        saved = (mx.arange(24) - 3).reshape(2, 3, 4).astype(dtype)
        save(folder / "model.safetensors", {"x": saved, "scalar": saved[1, 1, 1]})
        tensors = model_tensors(folder)
        for name, wanted in {"x": saved, "scalar": saved[1, 1, 1]}.items():
            found = read_tensor(tensors[name])
            assert (found.dtype, found.shape) == (dtype, wanted.shape)
            assert mx.array_equal(found, wanted)

    def test_rows_of_a_tensor_seen_as_a_matrix(self, folder: Path) -> None:
        save(folder / "model.safetensors", {"x": mx.arange(24).reshape(2, 3, 4), "y": mx.ones(9)})
        info = model_tensors(folder)["x"]
        assert read_rows(info, 2, 4).tolist() == [[8, 9, 10, 11], [12, 13, 14, 15]]
        assert read_rows(info, 0, 6).tolist() == mx.arange(24).reshape(6, 4).tolist()
        assert read_rows(info, 3, 3).shape == (0, 4)

    @pytest.mark.parametrize(("start", "stop"), [(-1, 1), (0, 7), (6, 7), (3, 2)])
    def test_rows_that_are_not_there(self, folder: Path, start: int, stop: int) -> None:
        save(folder / "model.safetensors", {"x": mx.ones((6, 4)), "y": mx.ones((6, 4))})
        with pytest.raises(ValueError, match=f"x has no rows {start} to {stop}"):
            read_rows(model_tensors(folder)["x"], start, stop)

    def test_numbers_that_mlx_cannot_hold(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        header = b'{"x":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}}'
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
        with pytest.raises(UnsupportedModelError, match="'x' is F64, which MLX cannot hold"):
            read_tensor(read_header(path)["x"])

    def test_a_file_that_became_shorter(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        save(path, A)
        info = read_header(path)["a"]
        os.truncate(path, info.end - 1)
        with pytest.raises(ModelFileError, match="became shorter while it was read"):
            read_tensor(info)
