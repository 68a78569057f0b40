"""Published checkpoints without their numbers: real shapes, and holes in place of tensors."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path

# Name to dtype and shape.
Headers = dict[str, tuple[str, tuple[int, ...]]]

HIDDEN, WIDTH, EXPERTS, LAYERS, VOCABULARY = 2048, 768, 128, 48, 151_936
HEADS, KV_HEADS, HEAD_DIM = 32, 4, 128
FILES, BLOCK = 6, 128
ITEM_BYTES = {"F8_E4M3": 1, "BF16": 2}

CONFIG: dict[str, object] = {
    "attention_bias": False,
    "decoder_sparse_step": 1,
    "head_dim": HEAD_DIM,
    "hidden_act": "silu",
    "hidden_size": HIDDEN,
    "intermediate_size": 6144,
    "max_position_embeddings": 40_960,
    "mlp_only_layers": [],
    "model_type": "qwen3_moe",
    "moe_intermediate_size": WIDTH,
    "norm_topk_prob": True,
    "num_attention_heads": HEADS,
    "num_experts": EXPERTS,
    "num_experts_per_tok": 8,
    "num_hidden_layers": LAYERS,
    "num_key_value_heads": KV_HEADS,
    "rms_norm_eps": 1e-6,
    "rope_scaling": None,
    "rope_theta": 1_000_000,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "vocab_size": VOCABULARY,
    "quantization_config": {
        "quant_method": "fp8",
        "fmt": "e4m3",
        "weight_block_size": [BLOCK, BLOCK],
    },
}


def write_30b_in_fp8(folder: Path) -> None:
    """Qwen3-30B-A3B-FP8, 31 GB that take 8 MB of the disk."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(CONFIG), "utf-8")
    (folder / "tokenizer.json").write_text("{}", "utf-8")
    places: dict[str, str] = {}
    for number in range(FILES):
        name = f"model-{number + 1:05d}-of-{FILES:05d}.safetensors"
        headers = _file(number)
        _write(folder / name, headers)
        places |= dict.fromkeys(headers, name)
    index = json.dumps({"weight_map": places})
    (folder / "model.safetensors.index.json").write_text(index, "utf-8")


def _file(number: int) -> Headers:
    headers: Headers = {}
    if number == 0:
        headers["model.embed_tokens.weight"] = ("BF16", (VOCABULARY, HIDDEN))
    per_file = LAYERS // FILES
    for layer in range(number * per_file, (number + 1) * per_file):
        headers |= _layer(f"model.layers.{layer}.")
    if number == FILES - 1:
        headers["model.norm.weight"] = ("BF16", (HIDDEN,))
        headers["lm_head.weight"] = ("BF16", (VOCABULARY, HIDDEN))
    return headers


def _layer(prefix: str) -> Headers:
    wide, narrow = HEADS * HEAD_DIM, KV_HEADS * HEAD_DIM
    headers: Headers = {
        f"{prefix}input_layernorm.weight": ("BF16", (HIDDEN,)),
        f"{prefix}post_attention_layernorm.weight": ("BF16", (HIDDEN,)),
        f"{prefix}self_attn.q_norm.weight": ("BF16", (HEAD_DIM,)),
        f"{prefix}self_attn.k_norm.weight": ("BF16", (HEAD_DIM,)),
        f"{prefix}mlp.gate.weight": ("BF16", (EXPERTS, HIDDEN)),
    }
    shapes = {
        "self_attn.q_proj": (wide, HIDDEN),
        "self_attn.k_proj": (narrow, HIDDEN),
        "self_attn.v_proj": (narrow, HIDDEN),
        "self_attn.o_proj": (HIDDEN, wide),
    }
    for expert in range(EXPERTS):
        for projection in ("gate_proj", "up_proj"):
            shapes[f"mlp.experts.{expert}.{projection}"] = (WIDTH, HIDDEN)
        shapes[f"mlp.experts.{expert}.down_proj"] = (HIDDEN, WIDTH)
    for name, (height, width) in shapes.items():
        headers[f"{prefix}{name}.weight"] = ("F8_E4M3", (height, width))
        headers[f"{prefix}{name}.weight_scale_inv"] = ("BF16", (height // BLOCK, width // BLOCK))
    return headers


def _write(path: Path, headers: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    entries, end = {}, 0
    for name, (dtype, shape) in headers.items():
        start, end = end, end + math.prod(shape) * ITEM_BYTES[dtype]
        entries[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(entries).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
