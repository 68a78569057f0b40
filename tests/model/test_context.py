"""How long a context a model has, and when YaRN is turned on."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.model import Qwen3Config, RopeScaling

if TYPE_CHECKING:
    from tests.model.conftest import Data


@pytest.fixture
def hybrid(dense: Data) -> Qwen3Config:
    """Positions as published for the hybrid models."""
    return Qwen3Config.from_hf({**dense, "max_position_embeddings": 40960})


@pytest.mark.parametrize(
    ("length", "factor"),
    [(40961, 2.0), (65536, 2.0), (65537, 4.0), (131072, 4.0), (131073, 8.0), (2**20, 32.0)],
)
def test_yarn_takes_the_smallest_factor_that_covers(
    hybrid: Qwen3Config, length: int, factor: float
) -> None:
    longer = hybrid.with_context(length)
    assert longer.rope_scaling == RopeScaling.yarn(factor, 32768)
    assert longer.context_length == length


@pytest.mark.parametrize("length", [1, 4096, 32768, 40960])
def test_yarn_stays_off_within_the_published_length(hybrid: Qwen3Config, length: int) -> None:
    assert hybrid.with_context(length) == replace(hybrid, context=length)
    assert hybrid.with_context(length).context_length == length


def test_without_asking_the_context_is_the_published_one(hybrid: Qwen3Config) -> None:
    assert (hybrid.context_length, hybrid.native_length) == (40960, 32768)


def test_the_2507_models_are_native_to_their_published_length(moe: Data) -> None:
    config = Qwen3Config.from_hf({**moe, "max_position_embeddings": 262144, "rope_theta": 1e7})
    assert config.native_length == 262144
    assert config.with_context(262144).rope_scaling is None
    assert config.with_context(262145).rope_scaling == RopeScaling.yarn(2.0, 262144)


def test_yarn_from_the_file_stays_when_it_covers(dense: Data) -> None:
    scaling = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    config = Qwen3Config.from_hf(
        {**dense, "max_position_embeddings": 40960, "rope_scaling": scaling}
    )
    assert config.context_length == 131072
    assert config.with_context(50000).rope_scaling == RopeScaling.yarn(4.0, 32768)
    assert config.with_context(200000).rope_scaling == RopeScaling.yarn(8.0, 32768)


def test_options_of_the_files_yarn_stay_when_it_is_stretched_further(dense: Data) -> None:
    scaling = {"rope_type": "yarn", "factor": 2.0, "beta_fast": 16.0, "truncate": False}
    longer = Qwen3Config.from_hf({**dense, "rope_scaling": scaling}).with_context(4096)
    assert longer.rope_scaling == RopeScaling(
        "yarn", 4.0, 1024, 0.1 * math.log(4) + 1, beta_fast=16.0, truncate=False
    )


@pytest.mark.parametrize(
    ("given", "attention_factor"),
    [
        ({"attention_factor": 1.3}, 1.3),
        ({"attention_factor": 1.3, "mscale": 1.0, "mscale_all_dim": 0.5}, 1.3),
        ({"mscale": 2.0, "mscale_all_dim": 1.0}, (0.2 * math.log(4) + 1) / (0.1 * math.log(4) + 1)),
        ({"mscale": 2.0}, 0.1 * math.log(4) + 1),
        ({"attention_factor": None}, 0.1 * math.log(4) + 1),
    ],
)
def test_the_files_temperature_stays_when_it_is_stretched_further(
    dense: Data, given: dict[str, float], attention_factor: float
) -> None:
    """As transformers would compute it from the same file with the larger factor in it."""
    scaling = {"rope_type": "yarn", "factor": 2.0, **given}
    longer = Qwen3Config.from_hf({**dense, "rope_scaling": scaling}).with_context(4096)
    assert longer.rope_scaling is not None
    assert longer.rope_scaling.factor == 4.0
    assert longer.rope_scaling.attention_factor == pytest.approx(attention_factor)
    written = Qwen3Config.from_hf({**dense, "rope_scaling": {**scaling, "factor": 4.0}})
    assert longer.rope_scaling == written.rope_scaling


def test_a_linear_scaling_is_not_replaced_by_yarn(dense: Data) -> None:
    scaling = {"rope_type": "linear", "factor": 2.0}
    config = Qwen3Config.from_hf({**dense, "rope_scaling": scaling})
    assert config.with_context(2048).rope_scaling == config.rope_scaling
    with pytest.raises(UsageError, match="linear") as caught:
        config.with_context(2049)
    assert "2048" in str(caught.value.hint)


@pytest.mark.parametrize("length", [0, -5])
def test_a_context_must_be_positive(hybrid: Qwen3Config, length: int) -> None:
    with pytest.raises(UsageError, match=str(length)):
        hybrid.with_context(length)


def test_a_context_beyond_what_yarn_was_shown_for_says_what_is_possible(
    hybrid: Qwen3Config,
) -> None:
    with pytest.raises(UsageError) as caught:
        hybrid.with_context(32 * 32768 + 1)
    assert "1048576" in str(caught.value.hint)
