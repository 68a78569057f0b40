"""Models with most experts on disk say what they say with all of them in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.model.expert_slots import ExpertSlots
from qwen3_mlx.model.moe import SwitchMLP
from tests.checkpoint.test_mlx_lm import SPECS, name_of, quantized

if TYPE_CHECKING:
    from tests.checkpoint.conftest import Layouts, MakeWeights, WriteModel

Config = dict[str, object]
SHORT = mx.array([[1, 5, 9]])
LONG = mx.random.randint(0, 48, (2, 20), key=mx.random.key(5))


def assert_same_logits(folder: Path, slots: int) -> None:
    checkpoint = open_checkpoint(folder)
    some, whole = (checkpoint.load(dtype=mx.float32, expert_slots=n).model for n in (slots, None))
    for ids in (SHORT, LONG, SHORT):
        assert mx.allclose(some(ids), whole(ids), rtol=0, atol=1e-5)


@pytest.mark.parametrize("layout", ["stacked", "one by one", "in pairs"])
@pytest.mark.parametrize("slots", [2, 3])
def test_whole_weights_of_every_layout(
    moe: Config,
    make_weights: MakeWeights,
    write_model: WriteModel,
    layouts: Layouts,
    layout: str,
    slots: int,
) -> None:
    halves = {name: array.astype(mx.bfloat16) for name, array in make_weights(moe).items()}
    assert_same_logits(write_model(moe, layouts[layout](halves)), slots)


@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_every_quantization(
    moe: Config, make_weights: MakeWeights, write_model: WriteModel, spec: dict[str, object]
) -> None:
    weights = quantized(moe, make_weights(moe), spec)
    assert_same_logits(write_model({**moe, "quantization": spec}, weights), 2)


def test_projections_that_are_quantized_each_in_its_own_way(
    moe: Config, make_weights: MakeWeights, write_model: WriteModel
) -> None:
    module = "model.layers.0.mlp.switch_mlp"
    overrides: dict[str, Any] = {
        f"{module}.gate_proj": {"group_size": 32, "bits": 8},
        f"{module}.up_proj": False,
    }
    weights = quantized(moe, make_weights(moe), SPECS[0], overrides)
    assert_same_logits(write_model({**moe, "quantization": {**SPECS[0], **overrides}}, weights), 2)


def test_a_layer_without_experts_stays_as_it_is(
    moe: Config, dense: Config, make_weights: MakeWeights, write_model: WriteModel
) -> None:
    second = "model.layers.1.mlp."
    weights = {n: a for n, a in make_weights(moe).items() if not n.startswith(second)}
    weights |= {n: a for n, a in make_weights(dense).items() if n.startswith(second)}
    folder = write_model({**moe, "mlp_only_layers": [1]}, weights)
    assert_same_logits(folder, 2)
    config = open_checkpoint(folder)
    assert config.expert_nbytes() == 3 * 64 * 64 * 4  # of the one layer that has experts


@pytest.mark.parametrize(("slots", "kind"), [(3, ExpertSlots), (4, SwitchMLP), (9, SwitchMLP)])
def test_room_for_all_experts_is_no_streaming(
    moe: Config,
    make_weights: MakeWeights,
    write_model: WriteModel,
    slots: int,
    kind: type[ExpertSlots | SwitchMLP],
) -> None:
    loaded = open_checkpoint(write_model(moe, make_weights(moe))).load(expert_slots=slots)
    assert all(type(layer.mlp.switch_mlp) is kind for layer in loaded.model.model.layers)


def test_memory_is_counted_by_slots(
    moe: Config, make_weights: MakeWeights, write_model: WriteModel
) -> None:
    """In bfloat16 on disk, in float32 in memory."""
    weights = {name: array.astype(mx.bfloat16) for name, array in make_weights(moe).items()}
    checkpoint = open_checkpoint(write_model(moe, weights))
    # Two layers of three matrices of 64 x 64 numbers.
    assert checkpoint.expert_nbytes(mx.float32) == 2 * 3 * 64 * 64 * 4
    rest = sum(2 * array.nbytes for name, array in weights.items() if "switch" not in name)
    assert checkpoint.nbytes(mx.float32, expert_slots=0) == rest
    assert checkpoint.nbytes(mx.float32, expert_slots=3) == rest + 3 * 2 * 3 * 64 * 64 * 4
    assert checkpoint.nbytes(mx.float32) == sum(2 * array.nbytes for array in weights.values())


def test_a_dense_model_has_no_experts(
    dense: Config, make_weights: MakeWeights, write_model: WriteModel
) -> None:
    checkpoint = open_checkpoint(write_model(dense, make_weights(dense)))
    assert checkpoint.expert_nbytes() == 0
    found = dict(tree_flatten(checkpoint.load(expert_slots=1).model.parameters()))  # type: ignore[no-untyped-call]
    assert found.keys() == make_weights(dense).keys()
