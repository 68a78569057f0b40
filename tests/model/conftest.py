"""What the tests of the network share: small configurations and seeded weights."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module
from mlx.utils import tree_flatten

from qwen3_mlx.model import Qwen3, Qwen3Config

REFERENCES = Path(__file__).parents[1] / "references"

# As in the references: weights, and so logits, that float32 alone can match to 1e-4.
os.environ.setdefault("MLX_ENABLE_TF32", "0")

DENSE: dict[str, object] = {
    "model_type": "qwen3",
    "vocab_size": 64,
    "hidden_size": 64,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "intermediate_size": 96,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_scaling": None,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "use_sliding_window": False,
    "sliding_window": None,
    "max_window_layers": 3,
    "attention_bias": False,
    "hidden_act": "silu",
}
MOE: dict[str, object] = {
    **DENSE,
    "model_type": "qwen3_moe",
    "num_experts": 16,
    "num_experts_per_tok": 4,
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
}

Data = dict[str, object]
MakeModel = Callable[[Qwen3Config], Qwen3]
Parameters = Callable[[Module], dict[str, mx.array]]
Distance = Callable[[mx.array, mx.array], float]


def _load_seeded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("seeded", REFERENCES / "seeded.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SEEDED = _load_seeded()


def _weight(name: str, like: mx.array) -> mx.array:
    scale, shift = SEEDED.affine(name)
    numbers = mx.array(SEEDED.seeded(name, like.size)).reshape(like.shape).astype(mx.float32)
    return numbers * mx.array(scale) + mx.array(shift)


def _parameters(module: Module) -> dict[str, mx.array]:
    flat = tree_flatten(module.parameters(), destination={})  # type: ignore[no-untyped-call]
    assert isinstance(flat, dict)
    return flat


def _make_model(config: Qwen3Config) -> Qwen3:
    model = Qwen3(config)
    model.load_weights([(name, _weight(name, like)) for name, like in _parameters(model).items()])
    return model


def _distance(one: mx.array, other: mx.array) -> float:
    assert one.shape == other.shape
    furthest = mx.abs(one - other).max().item()
    assert isinstance(furthest, float)
    return furthest


@pytest.fixture(scope="session")
def make_model() -> MakeModel:
    """Builds a model whose weights depend on their names and shapes alone."""
    return _make_model


@pytest.fixture(scope="session")
def parameters() -> Parameters:
    """All parameters of a module, by name."""
    return _parameters


@pytest.fixture(scope="session")
def distance() -> Distance:
    """The largest absolute difference between two arrays of one shape."""
    return _distance


@pytest.fixture(scope="session")
def dense() -> dict[str, object]:
    """A small dense ``config.json`` in the published form."""
    return dict(DENSE)


@pytest.fixture(scope="session")
def moe() -> dict[str, object]:
    """A small mixture-of-experts ``config.json`` in the published form."""
    return dict(MOE)


@pytest.fixture(scope="session")
def reference_configs() -> dict[str, Any]:
    """``configs`` and ``rotations`` of the references, by case."""
    parsed: dict[str, Any] = json.loads((REFERENCES / "model_configs.json").read_text("utf-8"))
    return parsed


@pytest.fixture(scope="session")
def reference_arrays() -> dict[str, mx.array]:
    """Ids, positions and logits of the references, as ``case/part``."""
    loaded = mx.load(str(REFERENCES / "model_logits.safetensors"))
    assert isinstance(loaded, dict)
    return loaded
