"""Logits equal Hugging Face transformers' (see ``references/make_model_references.py``)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest

from qwen3_mlx.model import Qwen3Config, make_cache

if TYPE_CHECKING:
    from tests.model.conftest import Distance, MakeModel

Case = tuple[Qwen3Config, mx.array, mx.array, mx.array]
CASES = sorted(
    json.loads((Path(__file__).parents[1] / "references" / "model_configs.json").read_text())[
        "configs"
    ]
)
TOLERANCE = 1e-4


@pytest.fixture(params=CASES)
def case(
    request: pytest.FixtureRequest,
    reference_configs: dict[str, Any],
    reference_arrays: dict[str, mx.array],
) -> Case:
    """Configuration, ids [2, L], positions [P], logits [2, P, vocab]."""
    config = Qwen3Config.from_hf(reference_configs["configs"][request.param])
    ids, positions, logits = (
        reference_arrays[f"{request.param}/{part}"] for part in ("ids", "positions", "logits")
    )
    return config, ids, positions, logits


def test_logits_equal_transformers(case: Case, make_model: MakeModel, distance: Distance) -> None:
    config, ids, positions, logits = case
    assert distance(make_model(config)(ids)[:, positions], logits) < TOLERANCE


def test_logits_with_a_cache_equal_transformers(
    case: Case, make_model: MakeModel, distance: Distance
) -> None:
    config, ids, positions, logits = case
    model, cache = make_model(config), make_cache(config)
    parts = [model(ids[:, start : start + 7], cache) for start in range(0, ids.shape[1], 7)]
    assert distance(mx.concatenate(parts, axis=1)[:, positions], logits) < TOLERANCE
