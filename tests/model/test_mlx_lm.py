"""The same files in mlx-lm give the same logits."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module
from mlx.nn.layers.quantized import quantize

from qwen3_mlx.model import Qwen3Config

if TYPE_CHECKING:
    from tests.model.conftest import Data, Distance, MakeModel, Parameters

ROUTER = {"group_size": 64, "bits": 8}
TOLERANCE = 1e-4


@pytest.fixture(scope="module")
def mlx_lm() -> ModuleType:
    """mlx-lm's loader; what it and transformers deprecate is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import mlx_lm.utils

        return mlx_lm.utils


def bits_of(path: str, module: Module) -> bool | dict[str, Any]:
    if path.endswith("mlp.gate"):
        return dict(ROUTER)
    return hasattr(module, "to_quantized")


def write(folder: Path, data: Data, weights: dict[str, mx.array]) -> None:
    """A 4-bit checkpoint as mlx-lm lays it out: overrides beside the defaults."""
    routers = {
        name.removesuffix(".scales"): ROUTER for name in weights if name.endswith("gate.scales")
    }
    config = {**data, "quantization": {"group_size": 32, "bits": 4, **routers}}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    mx.save_safetensors(
        str(folder / "model.safetensors"),
        weights,
        metadata={"format": "mlx"},
    )


@pytest.mark.parametrize("kind", ["dense", "moe", "dense-tied", "dense-yarn"])
def test_a_4_bit_model_equals_mlx_lms(
    kind: str,
    request: pytest.FixtureRequest,
    make_model: MakeModel,
    parameters: Parameters,
    distance: Distance,
    mlx_lm: ModuleType,
    tmp_path: Path,
) -> None:
    name, _, variant = kind.partition("-")
    yarn = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16}
    data = {
        **request.getfixturevalue(name),
        "tie_word_embeddings": variant == "tied",
        "rope_scaling": yarn if variant == "yarn" else None,
    }
    model = make_model(Qwen3Config.from_hf(data))
    quantize(model, 32, 4, class_predicate=bits_of)
    write(tmp_path, data, parameters(model))
    theirs, _ = mlx_lm.load_model(tmp_path)
    ids = mx.random.randint(0, 64, (2, 40), key=mx.random.key(4))
    assert distance(model(ids), theirs(ids)) < TOLERANCE
    assert distance(model(ids[:, :1]), theirs(ids[:, :1])) < TOLERANCE
