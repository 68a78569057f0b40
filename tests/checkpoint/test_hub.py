"""Names to folders, and downloads from a hub on the loopback interface."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwen3_mlx.checkpoint import hub as names
from qwen3_mlx.checkpoint.catalog import CATALOG, find, largest_fitting
from qwen3_mlx.errors import (
    FetchError,
    ModelFileError,
    ModelNotFoundError,
    Qwen3Error,
    UnsupportedModelError,
)

if TYPE_CHECKING:
    from tests.fake_hub import FakeHub

REPO = "somebody/Qwen3-mini"


@pytest.fixture
def files(dense: dict[str, object]) -> dict[str, bytes]:
    return {
        "config.json": json.dumps(dense).encode(),
        "model.safetensors": bytes(range(256)) * 512,
        "tokenizer.json": b"{}",
        "tokenizer.model": b"pieces",
        "chat_template.jinja": b"template",
        "merges.txt": b"a b",
        "LICENSE": b"Apache-2.0",
    }


UNWANTED = {
    "pytorch_model.bin": b"pickle",
    "modeling_qwen3.py": b"code",
    "original/model.safetensors": b"again",
    "training_args.bin": b"pickle",
    "LICENSE.pkl": b"pickle",
}


class TestDownload:
    def test_fetches_what_a_model_needs_and_nothing_else(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add(REPO, files | UNWANTED)
        folder = names.download(REPO)
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == files
        assert {name for name, _ in hub.fetched} == set(files)

    def test_is_found_afterwards_without_the_network(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add(REPO, files)
        folder = names.download(REPO)
        hub.repos.clear()
        hub.fetched.clear()
        assert names.resolve(REPO, offline=True) == names.Source("hub", REPO, folder)
        (found,) = names.list_downloaded()
        assert found == names.Downloaded(REPO, folder, sum(map(len, files.values())))
        assert hub.fetched == []

    def test_a_reference_that_names_no_revision_is_named(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add(REPO, files)
        reference = names.download(REPO).parents[1] / "refs" / "main"
        reference.write_bytes(b"\xff" * 40)
        with pytest.raises(ModelNotFoundError, match="is not on this machine"):
            names.resolve(REPO)
        with pytest.raises(ModelFileError, match="names no revision"):
            names.list_downloaded()
        with pytest.raises(FetchError, match="no answer") as refused:
            names.download(REPO)
        assert "remove the model's folder" in str(refused.value.hint)
        reference.unlink()
        names.download(REPO)
        assert [model.name for model in names.list_downloaded()] == [REPO]

    def test_an_alias_means_the_4_bit_repository_of_mlx_community(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add("mlx-community/Qwen3-8B-4bit", files)
        folder = names.download("8b")
        assert names.resolve("8B") == names.Source("hub", "mlx-community/Qwen3-8B-4bit", folder)

    def test_reports_bytes_up_to_the_total(self, hub: FakeHub, files: dict[str, bytes]) -> None:
        hub.add(REPO, files)
        seen: list[tuple[int, int]] = []
        names.download(REPO, lambda done, total: seen.append((done, total)))
        total = sum(map(len, files.values())) - len(files["config.json"])
        assert seen[-1] == (total, total)
        assert [done for done, _ in seen] == sorted(done for done, _ in seen)

    def test_shows_nothing_itself(
        self, hub: FakeHub, files: dict[str, bytes], capfd: pytest.CaptureFixture[str]
    ) -> None:
        hub.add(REPO, files)
        names.download(REPO)
        assert capfd.readouterr() == ("", "")

    def test_takes_a_broken_connection_up_where_it_broke(
        self, hub: FakeHub, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hub.add(REPO, files)
        # What is cut off inside a chunk, 10 MB otherwise, is fetched again.
        monkeypatch.setattr("huggingface_hub.constants.DOWNLOAD_CHUNK_SIZE", 1000)
        hub.cut_after["model.safetensors"] = 1000
        folder = names.download(REPO)
        assert (folder / "model.safetensors").read_bytes() == files["model.safetensors"]
        assert [start for name, start in hub.fetched if name == "model.safetensors"] == [0, 1000]

    def test_keeps_complete_files_when_it_fails_and_goes_on_later(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add(REPO, files)
        hub.fail.add("model.safetensors")
        with pytest.raises(Qwen3Error, match=f"fetching {REPO} broke off: .*500") as caught:
            names.download(REPO)
        assert caught.value.exit_code == 1
        assert caught.value.hint == "Run the same command again: files that are complete are kept."
        with pytest.raises(ModelNotFoundError):
            names.resolve(REPO)
        assert names.list_downloaded() == []
        kept = {name for name, _ in hub.fetched}
        hub.fail.clear()
        hub.fetched.clear()
        names.download(REPO)
        assert {name for name, _ in hub.fetched} == set(files) - kept

    def test_an_unknown_repository(self, hub: FakeHub) -> None:
        with pytest.raises(ModelNotFoundError, match="the Hugging Face Hub has no model some/one"):
            names.download("some/one")

    def test_a_hub_out_of_reach(self, hub: FakeHub) -> None:
        hub.stop()
        with pytest.raises(ModelNotFoundError, match=r"Hub: .*Connection refused"):
            names.download(REPO)

    def test_another_kind_of_model_is_refused_before_its_weights_come(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add(REPO, {**files, "config.json": b'{"model_type": "llama"}'})
        with pytest.raises(UnsupportedModelError, match="model_type = 'llama' is not supported"):
            names.download(REPO)
        assert hub.fetched == [("config.json", 0)]

    def test_a_repository_without_config(self, hub: FakeHub) -> None:
        hub.add(REPO, {"README.md": b"soon"})
        with pytest.raises(ModelFileError, match=r"config\.json is missing"):
            names.download(REPO)

    def test_a_dataset_or_another_model_in_the_cache_is_not_listed(
        self, hub: FakeHub, files: dict[str, bytes]
    ) -> None:
        hub.add(REPO, files)
        folder = names.download(REPO)
        config = folder / "config.json"
        config.unlink()
        config.write_text('{"model_type": "bert"}', "utf-8")
        assert names.list_downloaded() == []


class TestResolve:
    def test_a_bundled_name_comes_before_a_folder_of_that_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "tiny").mkdir()
        (tmp_path / "tiny" / "config.json").touch()
        shipped = tmp_path / "package"
        (shipped / "tiny").mkdir(parents=True)
        monkeypatch.setattr("qwen3_mlx.bundled.bundled_path", lambda name: shipped / name)
        assert names.resolve("tiny") == names.Source("bundled", "tiny", shipped / "tiny")
        assert names.resolve("./tiny") == names.Source("directory", "./tiny", Path("tiny"))

    def test_a_folder_comes_before_a_repository_of_that_name(
        self, hub: FakeHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "my" / "model").mkdir(parents=True)
        (tmp_path / "my" / "model" / "model.safetensors").touch()
        assert names.resolve("my/model") == names.Source("directory", "my/model", Path("my/model"))

    def test_an_alias_that_is_not_here_says_what_fetches_it(self, hub: FakeHub) -> None:
        with pytest.raises(ModelNotFoundError) as caught:
            names.resolve("8b")
        assert caught.value.exit_code == 3
        assert caught.value.message == (
            "the model 8b (mlx-community/Qwen3-8B-4bit, 4.61 GB) is not on this machine"
        )
        assert caught.value.hint == "Fetch it with `qwen3-mlx pull 8b`."

    def test_offline_is_said(self, hub: FakeHub) -> None:
        with pytest.raises(ModelNotFoundError, match="machine, and --offline forbids to fetch it"):
            names.resolve("Qwen/Qwen3-8B", offline=True)

    @pytest.mark.parametrize(
        ("name", "message", "hint"),
        [
            ("./nothing", "there is no folder ./nothing", None),
            ("/no/such/folder", "there is no folder /no/such/folder", None),
            ("30b-a3", "there is no model called '30b-a3'", "Did you mean 30b-a3b?"),
            ("tinny", "there is no model called 'tinny'", "Did you mean tiny?"),
            ("", "there is no model called ''", "`qwen3-mlx models` lists the names."),
            ("a/b/c", "there is no model called 'a/b/c'", "`qwen3-mlx models` lists the names."),
            ("../up/x", "there is no folder ../up/x", None),
            ("no/such.gguf", "there is no file no/such.gguf", None),
            ("~nobody-here/x", "there is no folder ~nobody-here/x", None),
            ("x\0y", "there is no model called 'x\\x00y'", "`qwen3-mlx models` lists the names."),
        ],
    )
    def test_names_that_mean_nothing(self, name: str, message: str, hint: str | None) -> None:
        with pytest.raises(ModelNotFoundError) as caught:
            names.resolve(name)
        assert (caught.value.message, caught.value.hint) == (message, hint)

    def test_a_gguf_file_is_to_be_converted(self, tmp_path: Path) -> None:
        path = tmp_path / "my model.gguf"
        path.touch()
        with pytest.raises(ModelNotFoundError, match="is converted before it is run") as caught:
            names.resolve(str(path))
        assert caught.value.hint == f"Try: qwen3-mlx convert '{path}' FOLDER"
        assert names.repo_id("mine/model.gguf") is None

    @pytest.mark.parametrize("name", ["mine/model.safetensors", "model.safetensors", "./config"])
    def test_a_file_is_no_model(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).touch()
        with pytest.raises(ModelNotFoundError) as caught:
            names.resolve(name)
        assert caught.value.message == f"{name} is a file: a model is a folder"
        assert caught.value.hint == "Name the folder that its config.json and weights are in."
        assert names.repo_id(name) is None

    def test_a_folder_without_a_model(self, tmp_path: Path) -> None:
        (tmp_path / "notes.json").touch()
        with pytest.raises(ModelNotFoundError) as caught:
            names.resolve(str(tmp_path))
        assert caught.value.message == (
            f"the folder {tmp_path} holds no model: neither config.json nor weights"
        )

    def test_a_name_longer_than_any_file(self) -> None:
        with pytest.raises(ModelNotFoundError, match="there is no model called 'xxx"):
            names.resolve("x" * 5000)

    @pytest.mark.parametrize("name", ["some/--double--dash", "some/x..y"])
    def test_a_repository_id_that_the_hub_forbids(self, hub: FakeHub, name: str) -> None:
        with pytest.raises(ModelNotFoundError):
            names.resolve(name)
        with pytest.raises(ModelNotFoundError):
            names.download(name)

    def test_an_empty_cache_lists_nothing(self, hub: FakeHub) -> None:
        assert names.list_downloaded() == []


class TestCatalog:
    @pytest.mark.parametrize(
        ("alias", "repo"),
        [
            ("0.6b", "mlx-community/Qwen3-0.6B-4bit"),
            ("30b-a3b", "mlx-community/Qwen3-30B-A3B-4bit"),
            ("235b-a22b", "mlx-community/Qwen3-235B-A22B-4bit"),
            ("30b-a3b-instruct-2507", "mlx-community/Qwen3-30B-A3B-Instruct-2507-4bit"),
            ("Qwen3-4B-Thinking-2507", "mlx-community/Qwen3-4B-Thinking-2507-4bit"),
            ("coder-30b-a3b", "mlx-community/Qwen3-Coder-30B-A3B-Instruct-4bit"),
        ],
    )
    def test_aliases(self, alias: str, repo: str) -> None:
        model = find(alias)
        assert model is not None
        assert model.repo == repo

    def test_every_alias_is_a_name_of_its_own(self) -> None:
        assert len({model.alias for model in CATALOG}) == len(CATALOG)
        assert all(find(model.alias) is model for model in CATALOG)

    @pytest.mark.parametrize(
        ("gigabytes", "alias"),
        [(0.5, None), (1, "0.6b"), (8, "8b"), (16, "14b"), (18, "30b-a3b"), (512, "235b-a22b")],
    )
    def test_the_largest_that_fits(self, gigabytes: float, alias: str | None) -> None:
        model = largest_fitting(int(gigabytes * 1e9))
        assert (model.alias if model else None) == alias
