"""What every test shares: a hub on the loopback, Qwen3's tokenizer, and marks."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import pytest

from tests.fake_hub import FakeHub

NO_METAL = pytest.mark.skip(reason="needs Apple silicon with Metal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if mx.metal.is_available():
        return
    for item in items:
        if item.get_closest_marker("metal"):
            item.add_marker(NO_METAL)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeHub]:
    """A fake hub that huggingface_hub talks to in this process, and an empty cache."""
    from huggingface_hub import constants

    server = FakeHub()
    server.start()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.stop()


@pytest.fixture(scope="session")
def real_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tokenizer that Qwen publishes, if this machine has it."""
    source = next(filter(None, map(_tokenizer_file, _real_places())), None)
    if source is None:
        pytest.skip("needs Qwen3's own tokenizer: set QWEN3_MLX_TOKENIZER to its folder")
    if source.suffix != ".gz":
        return source.parent
    path = tmp_path_factory.mktemp("real")
    (path / "tokenizer.json").write_bytes(gzip.decompress(source.read_bytes()))
    shutil.copy(source.with_name("tokenizer_config.json"), path)
    return path


def _real_places() -> Iterator[Path]:
    from huggingface_hub.constants import HF_HUB_CACHE

    if named := os.environ.get("QWEN3_MLX_TOKENIZER"):
        yield Path(named)
    yield Path(__file__).parents[2] / "shared" / "qwen3-tokenizer"
    yield from sorted(Path(HF_HUB_CACHE).glob("models--Qwen--Qwen3-*B/snapshots/*"))


def _tokenizer_file(folder: Path) -> Path | None:
    files = (folder / name for name in ("tokenizer.json", "tokenizer.json.gz"))
    has_config = (folder / "tokenizer_config.json").is_file()
    return next((file for file in files if has_config and file.is_file()), None)
