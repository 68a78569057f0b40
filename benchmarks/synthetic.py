"""Random models of a given shape, written as 4-bit checkpoints that mlx-lm and we load."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import mlx.core as mx
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from qwen3_mlx import bundled
from qwen3_mlx.model import Qwen3, Qwen3Config

GROUP_SIZE, BITS = 64, 4
TEXT_FILES = (
    "chat_template.jinja",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)

DENSE: dict[str, object] = {
    "model_type": "qwen3",
    "vocab_size": 1600,
    "hidden_size": 256,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 4,
    "head_dim": 64,
    "intermediate_size": 768,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}
MOE = {
    **DENSE,
    "model_type": "qwen3_moe",
    "num_experts": 64,
    "num_experts_per_tok": 8,
    "moe_intermediate_size": 128,
    "norm_topk_prob": True,
    "mlp_only_layers": [],
    "decoder_sparse_step": 1,
}


def write(config: dict[str, object], folder: Path, *, seed: int = 0) -> Path:
    """A model with random weights and the tokenizer of `tiny`, in `folder`, which is made."""
    folder.mkdir(parents=True)
    tiny = bundled.bundled_path("tiny")
    for name in TEXT_FILES:
        shutil.copy(tiny / name, folder / name)
    mx.random.seed(seed)
    model = Qwen3(Qwen3Config.from_hf(config))
    quantize(model, GROUP_SIZE, BITS)
    tensors = dict(tree_flatten(model.parameters()))
    mx.save_safetensors(str(folder / "model.safetensors"), tensors, {"format": "mlx"})
    quantized = {"quantization": {"group_size": GROUP_SIZE, "bits": BITS}}
    (folder / "config.json").write_text(json.dumps({**config, **quantized}))
    return folder
