"""What every test shares: a hub on the loopback, and marks for what cannot run everywhere."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

if TYPE_CHECKING:
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

    server = _load_fake_hub()()
    server.start()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    template = server.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.stop()


def _load_fake_hub() -> type[FakeHub]:
    spec = importlib.util.spec_from_file_location("fake_hub", Path(__file__).parent / "fake_hub.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: type[FakeHub] = module.FakeHub
    return found
