"""The published models, against the published sizes."""

from __future__ import annotations

import pytest

from qwen3_mlx.checkpoint import catalog
from qwen3_mlx.memory.family import FORMATS, SHAPES, family_config, family_weights
from qwen3_mlx.memory.speed import token_bytes

# Bytes that a token reads at 4 bits, in 10^9, context near 0.
READ = {
    "0.6b": 0.335,
    "1.7b": 0.97,
    "4b": 2.26,
    "8b": 4.26,
    "14b": 7.87,
    "32b": 18.0,
    "30b-a3b": 1.72,
    "235b-a22b": 12.2,
}


def test_they_are_the_catalog_s() -> None:
    assert list(SHAPES) == [model.alias for model in catalog.HYBRIDS]


@pytest.mark.parametrize("model", catalog.HYBRIDS, ids=lambda model: model.alias)
def test_weights_of_four_bits_are_as_large_as_published(model: catalog.CatalogModel) -> None:
    weights = family_weights(family_config(model.alias), FORMATS["4bit"], 2)
    assert weights.total / 1e9 == pytest.approx(model.gigabytes, rel=0.02)


@pytest.mark.parametrize("name", READ)
def test_what_a_token_reads(name: str) -> None:
    config = family_config(name)
    weights = family_weights(config, FORMATS["4bit"], 2)
    read = token_bytes(config, weights.total, embedding=weights.embedding, context=0, item_bytes=2)
    assert read / 1e9 == pytest.approx(READ[name], rel=0.01)


def test_whole_weights_take_two_bytes_each() -> None:
    """8B has 8.19 billion parameters."""
    weights = family_weights(family_config("8b"), FORMATS["bf16"], 2)
    assert weights.total == pytest.approx(2 * 8.19e9, rel=0.001)
    assert weights.embedding == 2 * 151936 * 4096
