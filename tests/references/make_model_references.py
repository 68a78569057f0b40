"""Make the reference logits for the tests of ``qwen3_mlx.model`` with Hugging Face transformers.

    pip install 'qwen3-mlx[train]' && python tests/references/make_model_references.py

Knows transformers and PyTorch, which the tests do without. Writes beside itself
``model_logits.safetensors`` (ids, positions and float32 logits of each case) and
``model_configs.json`` (each case's configuration as transformers saves it).
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from seeded import affine, seeded
from transformers import (
    AutoModelForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen3Config,
    Qwen3MoeConfig,
)
from transformers.models.qwen3.modeling_qwen3 import Qwen3RotaryEmbedding

HERE = Path(__file__).parent

SIZES: dict[str, object] = {
    "vocab_size": 61,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "max_position_embeddings": 128,
    "rope_theta": 1e6,
    "tie_word_embeddings": False,
}
EXPERTS: dict[str, object] = {
    "num_experts": 16,
    "num_experts_per_tok": 4,
    "moe_intermediate_size": 32,
    "norm_topk_prob": True,
}


def yarn(factor: float, **options: object) -> dict[str, object]:
    """YaRN over an original length of 32, so that a short text goes past it."""
    original = {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": 32}
    return {"rope_scaling": {**original, **options}, "rope_theta": 1e4}


DENSE: dict[str, dict[str, object]] = {
    "dense": {},
    "dense-tied": {"tie_word_embeddings": True},
    "dense-square-gqa-1-1": {"num_key_value_heads": 4, "head_dim": 16},
    "dense-gqa-8-1": {"num_attention_heads": 8, "num_key_value_heads": 1, "hidden_size": 48},
    "dense-linear": {"rope_scaling": {"rope_type": "linear", "factor": 2.5}},
    "dense-yarn-2": yarn(2.0),
    "dense-yarn-4-tied": {**yarn(4.0), "tie_word_embeddings": True},
    "dense-yarn-options": yarn(
        4.0, beta_fast=8.0, beta_slow=0.5, attention_factor=1.3, truncate=False
    ),
    "dense-yarn-mscale": yarn(4.0, mscale=2.0, mscale_all_dim=0.5),
}
MOE: dict[str, dict[str, object]] = {
    "moe": {},
    "moe-tied": {"tie_word_embeddings": True},
    "moe-not-renormalised": {"norm_topk_prob": False},
    "moe-gqa-1-1": {"num_key_value_heads": 4, "num_experts_per_tok": 1},
    "moe-gqa-8-1": {"num_attention_heads": 8, "num_key_value_heads": 1, "head_dim": 16},
    "moe-mlp-only-layers": {"mlp_only_layers": [0, 2]},
    "moe-sparse-step-2": {"decoder_sparse_step": 2, "num_hidden_layers": 4},
    "moe-sparse-step-2-mlp-only": {
        "decoder_sparse_step": 2,
        "mlp_only_layers": [1],
        "num_hidden_layers": 4,
    },
    "moe-all-experts": {"num_experts": 4},
    "moe-yarn-2": yarn(2.0),
    "moe-yarn-4": yarn(4.0),
    "moe-yarn-4-not-renormalised": {**yarn(4.0), "norm_topk_prob": False},
}


# The angles of full-size models: short texts through small ones would hide an error here.
ROTATIONS: dict[str, dict[str, object]] = {
    "plain": {"rope_theta": 1e6},
    "plain-2507": {"rope_theta": 1e7},
    **{
        f"yarn-{factor:g}": {
            "rope_theta": 1e6,
            "rope_scaling": {
                "rope_type": "yarn",
                "factor": factor,
                "original_max_position_embeddings": 32768,
            },
        }
        for factor in (2.0, 4.0)
    },
}


def configurations() -> dict[str, PreTrainedConfig]:
    """Each case's name and configuration."""
    dense = {name: Qwen3Config(**{**SIZES, **changes}) for name, changes in DENSE.items()}
    moe = {name: Qwen3MoeConfig(**{**SIZES, **EXPERTS, **changes}) for name, changes in MOE.items()}
    return {**dense, **moe}


def weight(name: str, shape: Sequence[int]) -> torch.Tensor:
    """The parameter ``name``, float32."""
    numbers = torch.tensor(seeded(name, math.prod(shape)), dtype=torch.float32)
    scale, shift = affine(name)
    return (numbers * scale + shift).reshape(*shape)


def hugging_face_weight(name: str, shape: Sequence[int]) -> torch.Tensor:
    """The parameter that Hugging Face calls ``name``, taken from the stacked ones of the tests.

    transformers keeps experts stacked, with gate and up in one tensor, or (before 5) one by one.
    """
    block, is_expert, rest = name.partition(".experts.")
    if not is_expert:
        return weight(name, shape)
    stacked = f"{block}.switch_mlp"
    if rest == "down_proj":
        return weight(f"{stacked}.down_proj.weight", shape)
    if rest == "gate_up_proj":
        experts, rows, columns = shape
        half = (experts, rows // 2, columns)
        gate, up = (weight(f"{stacked}.{part}_proj.weight", half) for part in ("gate", "up"))
        return torch.cat([gate, up], dim=1)
    expert, _, projection = rest.partition(".")
    return weight(f"{stacked}.{projection}", (int(expert) + 1, *shape))[-1]


def build(config: PreTrainedConfig) -> PreTrainedModel:
    """The model in float32 with plain attention and plain experts, and the seeded weights."""
    model = AutoModelForCausalLM.from_config(
        config, dtype=torch.float32, attn_implementation="eager", experts_implementation="eager"
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(hugging_face_weight(name, parameter.shape))
    return model.eval()


def make_case(name: str, config: PreTrainedConfig) -> dict[str, torch.Tensor]:
    """Ids [2, L], the positions kept [P], and logits [2, P, vocab] at them."""
    stretched = config.rope_parameters["rope_type"] != "default"
    length, step = (110, 5) if stretched else (24, 1)
    ids = torch.tensor(seeded(f"ids of {name}", 2 * length)).reshape(2, length)
    ids = (ids % config.vocab_size).to(torch.int32)
    positions = torch.arange(step - 1, length, step, dtype=torch.int32)
    with torch.no_grad():
        logits = build(config)(ids).logits
    return {"ids": ids, "positions": positions, "logits": logits[:, positions].contiguous()}


def make_rotation(changes: dict[str, object]) -> torch.Tensor:
    """Hugging Face's ``inv_freq`` [64] of a full-size head."""
    config = Qwen3Config(head_dim=128, max_position_embeddings=40960, **changes)
    return Qwen3RotaryEmbedding(config).inv_freq.clone()


def main() -> None:
    """Write both files."""
    tensors: dict[str, torch.Tensor] = {}
    saved: dict[str, object] = {}
    for name, config in configurations().items():
        for part, tensor in make_case(name, config).items():
            tensors[f"{name}/{part}"] = tensor
        saved[name] = json.loads(config.to_json_string())
    for name, changes in ROTATIONS.items():
        tensors[f"rotation/{name}"] = make_rotation(changes)
    save_file(tensors, HERE / "model_logits.safetensors")
    made_with = {"transformers": transformers.__version__, "torch": torch.__version__}
    text = json.dumps(
        {"made_with": made_with, "configs": saved, "rotations": ROTATIONS}, indent=1, sort_keys=True
    )
    (HERE / "model_configs.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
