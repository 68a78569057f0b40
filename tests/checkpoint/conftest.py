"""What the tests of model files share: small checkpoints on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

DENSE: dict[str, object] = {
    "model_type": "qwen3",
    "vocab_size": 48,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "intermediate_size": 128,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "max_position_embeddings": 1024,
    "tie_word_embeddings": False,
}
MOE: dict[str, object] = {
    **DENSE,
    "model_type": "qwen3_moe",
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
}

Weights = dict[str, mx.array]
MakeWeights = Callable[[Mapping[str, object]], Weights]
WriteModel = Callable[..., Path]
Layouts = Mapping[str, Callable[[Weights], Weights]]


def _shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Published names and shapes, written out apart from the code under test."""
    hidden, dims = config["hidden_size"], config["head_dim"]
    queries, keys = config["num_attention_heads"] * dims, config["num_key_value_heads"] * dims
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config["vocab_size"], hidden),
        "model.norm.weight": (hidden,),
    }
    if not config["tie_word_embeddings"]:
        shapes["lm_head.weight"] = (config["vocab_size"], hidden)
    for number in range(config["num_hidden_layers"]):
        layer = f"model.layers.{number}"
        shapes |= {
            f"{layer}.input_layernorm.weight": (hidden,),
            f"{layer}.post_attention_layernorm.weight": (hidden,),
            f"{layer}.self_attn.q_proj.weight": (queries, hidden),
            f"{layer}.self_attn.k_proj.weight": (keys, hidden),
            f"{layer}.self_attn.v_proj.weight": (keys, hidden),
            f"{layer}.self_attn.o_proj.weight": (hidden, queries),
            f"{layer}.self_attn.q_norm.weight": (dims,),
            f"{layer}.self_attn.k_norm.weight": (dims,),
        }
        shapes |= _mlp_shapes(f"{layer}.mlp", config)
    return shapes


def _mlp_shapes(prefix: str, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    hidden, experts = config["hidden_size"], config.get("num_experts", 0)
    width = config["moe_intermediate_size"] if experts else config["intermediate_size"]
    stack = (experts,) if experts else ()
    module = f"{prefix}.switch_mlp" if experts else prefix
    shapes: dict[str, tuple[int, ...]] = {
        f"{module}.gate_proj.weight": (*stack, width, hidden),
        f"{module}.up_proj.weight": (*stack, width, hidden),
        f"{module}.down_proj.weight": (*stack, hidden, width),
    }
    if experts:
        shapes[f"{prefix}.gate.weight"] = (experts, hidden)
    return shapes


def _make_weights(config: Mapping[str, object]) -> Weights:
    keys = mx.random.split(mx.random.key(7), 256)
    return {
        name: mx.random.normal(shape, key=keys[number]) * 0.1
        for number, (name, shape) in enumerate(sorted(_shapes(config).items()))
    }


@pytest.fixture(scope="session")
def make_weights() -> MakeWeights:
    """Random float32 weights of a configuration, the same every time, in mlx-lm's layout."""
    return _make_weights


def _one_by_one(weights: Weights) -> Weights:
    """Experts as published checkpoints have them."""
    single = {name: array for name, array in weights.items() if "switch_mlp" not in name}
    for name, array in weights.items():
        for number in range(array.shape[0]) if "switch_mlp" in name else ():
            single[name.replace("switch_mlp", f"experts.{number}")] = array[number]
    return single


def _in_pairs(weights: Weights) -> Weights:
    """Experts as transformers 5 holds them: gate and up together."""
    paired = {name: array for name, array in weights.items() if "switch_mlp" not in name}
    for number in range(2):
        mlp = f"model.layers.{number}.mlp"
        gate, up, down = (
            weights[f"{mlp}.switch_mlp.{name}_proj.weight"] for name in ("gate", "up", "down")
        )
        paired[f"{mlp}.experts.gate_up_proj"] = mx.concatenate([gate, up], axis=1)
        paired[f"{mlp}.experts.down_proj"] = down
    return paired


@pytest.fixture(scope="session")
def layouts() -> Layouts:
    """The ways in which checkpoints hold their experts, by name: each makes its own of mlx-lm's."""
    return {"stacked": dict, "one by one": _one_by_one, "in pairs": _in_pairs}


@pytest.fixture
def dense() -> dict[str, object]:
    """A small dense ``config.json``."""
    return dict(DENSE)


@pytest.fixture
def moe() -> dict[str, object]:
    """A small mixture-of-experts ``config.json``."""
    return dict(MOE)


@pytest.fixture
def write_model(tmp_path: Path) -> WriteModel:
    """Writes a model folder: config, and weights as one file or as shards with an index."""

    def write(
        config: Mapping[str, object], *shards: Weights, name: str = "model", index: bool = False
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "config.json").write_text(json.dumps(config), "utf-8")
        if not index:
            (weights,) = shards
            mx.save_safetensors(str(folder / "model.safetensors"), weights)
            return folder
        places: dict[str, str] = {}
        for number, weights in enumerate(shards, 1):
            file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
            mx.save_safetensors(str(folder / file), weights)
            places |= dict.fromkeys(weights, file)
        text = json.dumps({"metadata": {}, "weight_map": places})
        (folder / "model.safetensors.index.json").write_text(text, "utf-8")
        return folder

    return write
