"""What every test shares: a hub on the loopback, Qwen3's tokenizer, and marks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlx.core as mx
import pytest

from tests import real_tokenizer
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
    folder = real_tokenizer.unpacked(tmp_path_factory.mktemp("real"))
    if folder is None:
        pytest.skip("needs Qwen3's own tokenizer: set QWEN3_MLX_TOKENIZER to its folder")
    return folder
