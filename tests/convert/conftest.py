"""What the tests of the converter share: small random checkpoints in every form."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.model import Qwen3Config

CONFIG: dict[str, object] = {
    "attention_bias": False,
    "head_dim": 32,
    "hidden_act": "silu",
    "hidden_size": 128,
    "intermediate_size": 192,
    "max_position_embeddings": 1024,
    "model_type": "qwen3",
    "num_attention_heads": 4,
    "num_hidden_layers": 2,
    "num_key_value_heads": 2,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 1e6,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": 96,
}
# Experts as wide as a group of 64, so that mlx-lm's defaults fit every weight.
EXPERTS: dict[str, object] = {
    "model_type": "qwen3_moe",
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "moe_intermediate_size": 64,
    "norm_topk_prob": True,
    "num_experts": 8,
    "num_experts_per_tok": 2,
}

Arrays = dict[str, mx.array]


@dataclass
class Checkpoint:
    """A checkpoint to be, under our own tensor names; `save` writes it in a source's form."""

    config: dict[str, object]
    arrays: Arrays
    files: dict[str, str] = field(default_factory=lambda: {"tokenizer.json": "{}"})

    def save(self, folder: Path, form: str = "one by one", shards: int = 1) -> Path:
        """Write it with its experts `one by one`, `stacked`, or in `pairs` (transformers 5)."""
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.config), "utf-8")
        for name, text in self.files.items():
            (folder / name).write_text(text, "utf-8")
        save_arrays(folder, self.stored(form), shards)
        return folder

    def stored(self, form: str = "one by one") -> Arrays:
        """The arrays as they stand in the files of that form."""
        return FORMS[form](self.arrays)


def one_by_one(arrays: Arrays) -> Arrays:
    """As Qwen publishes them: `mlp.experts.N.gate_proj.weight`."""
    stored: Arrays = {}
    for name, array in arrays.items():
        if "switch_mlp" not in name:
            stored[name] = array
            continue
        for expert in range(array.shape[0]):
            stored[name.replace("switch_mlp", f"experts.{expert}")] = array[expert]
    return stored


def pairs(arrays: Arrays) -> Arrays:
    """As transformers 5 can write them: `mlp.experts.gate_up_proj`, the gate's rows first."""
    stored = {name: array for name, array in arrays.items() if "switch_mlp" not in name}
    for name, gate in arrays.items():
        if name.endswith("switch_mlp.gate_proj.weight"):
            path = name.removesuffix("switch_mlp.gate_proj.weight")
            up = arrays[f"{path}switch_mlp.up_proj.weight"]
            stored[f"{path}experts.gate_up_proj"] = mx.concatenate([gate, up], axis=1)
            stored[f"{path}experts.down_proj"] = arrays[f"{path}switch_mlp.down_proj.weight"]
    return stored


FORMS: dict[str, Callable[[Arrays], Arrays]] = {
    "one by one": one_by_one,
    "stacked": dict,
    "pairs": pairs,
}


def save_arrays(folder: Path, arrays: Arrays, shards: int) -> None:
    if shards == 1:
        mx.save_safetensors(str(folder / "model.safetensors"), arrays, {"format": "pt"})
        return
    places = {name: f"part-{i % shards}.safetensors" for i, name in enumerate(arrays)}
    for shard in set(places.values()):
        held = {name: array for name, array in arrays.items() if places[name] == shard}
        mx.save_safetensors(str(folder / shard), held, {"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), "utf-8")


def random_checkpoint(config: dict[str, object], dtype: mx.Dtype = mx.bfloat16) -> Checkpoint:
    """Normal numbers of a plausible size; norms lie around one."""
    keys = iter(mx.random.split(mx.random.key(7), 200))
    arrays = {
        name: (
            mx.random.normal(expected.shape, scale=0.1, key=next(keys)) + float("norm" in name)
        ).astype(dtype)
        for name, expected in expected_tensors(Qwen3Config.from_hf(config), {}).items()
    }
    return Checkpoint(config, arrays)


@pytest.fixture
def dense() -> Checkpoint:
    """Two layers without experts, in bfloat16."""
    return random_checkpoint(dict(CONFIG))


@pytest.fixture
def moe() -> Checkpoint:
    """Two layers of eight experts, in bfloat16."""
    return random_checkpoint(CONFIG | EXPERTS)


@pytest.fixture
def make_checkpoint() -> Callable[..., Checkpoint]:
    """Builds a checkpoint with experts from changes to the config and a dtype."""

    def make(changes: dict[str, object], dtype: mx.Dtype = mx.bfloat16) -> Checkpoint:
        return random_checkpoint(CONFIG | EXPERTS | changes, dtype)

    return make
