"""Rotary frequencies of full-size models, and that YaRN is applied at all."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest

from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.fields import Fields
from qwen3_mlx.model.rope import Rope, wavelengths, yarn_ramp
from qwen3_mlx.model.scaling import RopeScaling, read_scaling

if TYPE_CHECKING:
    from tests.model.conftest import Distance, MakeModel


@pytest.mark.parametrize("name", ["plain", "plain-2507", "yarn-2", "yarn-4"])
def test_frequencies_equal_transformers(
    name: str, reference_configs: dict[str, Any], reference_arrays: dict[str, mx.array]
) -> None:
    rotation = reference_configs["rotations"][name]
    scaling = read_scaling(Fields(rotation.get("rope_scaling", {}), name), 40960)
    ours = 1.0 / mx.array(wavelengths(128, rotation["rope_theta"], scaling))
    assert mx.allclose(ours, reference_arrays[f"rotation/{name}"], rtol=2e-7, atol=0.0)


def test_the_ramp_is_the_papers() -> None:
    """By hand, 128 dimensions, base 1e6: the borders are dims ln(32768 / 2 pi r) / 2 ln base.

    r = 32: 64 * 5.0938 / 13.8155 = 23.6 -> 23; r = 1: 64 * 8.5593 / 13.8155 = 39.65 -> 40.
    """
    ramp = yarn_ramp(128, 1e6, RopeScaling.yarn(4.0, 32768))
    assert ramp[:24] == [0.0] * 24
    assert ramp[24] == pytest.approx(1 / 17)
    assert ramp[39] == pytest.approx(16 / 17)
    assert ramp[40:] == [1.0] * 24


def test_a_rotation_by_hand(dense: dict[str, object]) -> None:
    """At position 2 the first pair turns by 2 radians; the pair is (first, middle) dimension."""
    config = Qwen3Config.from_hf({**dense, "head_dim": 4, "rope_theta": 10000})
    turned = Rope(config)(mx.array([[[[1.0, 0.0, 0.0, 1.0]]]]), offset=2)
    by_hand = [math.cos(2.0), -math.sin(0.02), math.sin(2.0), math.cos(0.02)]
    assert mx.allclose(turned, mx.array([[[by_hand]]]), atol=1e-6)


@pytest.mark.parametrize("kind", ["dense", "moe"])
def test_yarn_changes_the_logits(
    kind: str, request: pytest.FixtureRequest, make_model: MakeModel, distance: Distance
) -> None:
    """mlx-lm accepts YaRN for MoE and leaves it out: the difference there is exactly zero."""
    config = Qwen3Config.from_hf(request.getfixturevalue(kind))
    longer = config.with_context(2048)
    ids = mx.arange(40)[None]
    plain, stretched = make_model(config), make_model(longer)
    assert distance(plain(ids), stretched(ids)) > 0.1
    unscaled = make_model(replace(longer, rope_scaling=None))
    assert mx.array_equal(plain(ids), unscaled(ids))
