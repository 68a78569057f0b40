"""What every test shares: marked tests are skipped, with a reason, where they cannot run."""

from __future__ import annotations

import mlx.core as mx
import pytest

NO_METAL = pytest.mark.skip(reason="needs Apple silicon with Metal")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if mx.metal.is_available():
        return
    for item in items:
        if item.get_closest_marker("metal"):
            item.add_marker(NO_METAL)
