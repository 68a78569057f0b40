"""What a GGUF file calls the parts of a Qwen3 network, in Hugging Face's words.

Knows the metadata keys and tensor names of llama.cpp's `qwen3` and `qwen3moe`. Does not know blocks
or bytes. Queries and keys stand as Hugging Face has them: llama.cpp permutes Llama's only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.model.fields import Fields

ARCHITECTURES = {
    "qwen3": ("qwen3", "Qwen3ForCausalLM"),
    "qwen3moe": ("qwen3_moe", "Qwen3MoeForCausalLM"),
}
EMBEDDING, HEAD = "token_embd.weight", "output.weight"

LAYER = re.compile(r"blk\.(\d+)\.(\w+)\.weight")
NAMES = {
    EMBEDDING: "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    HEAD: "lm_head.weight",
}
LAYER_NAMES = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "attn_q_norm": "self_attn.q_norm",
    "attn_k_norm": "self_attn.k_norm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "ffn_gate_inp": "mlp.gate",
    "ffn_gate_exps": "mlp.switch_mlp.gate_proj",
    "ffn_up_exps": "mlp.switch_mlp.up_proj",
    "ffn_down_exps": "mlp.switch_mlp.down_proj",
}
MAX = 2**31 - 1
# How strong a scaling is besides its factor.
STRENGTHS = ("attn_factor", "yarn_attn_factor", "yarn_ext_factor")


def network_name(name: str) -> str:
    """The network's name of a tensor; one that is not known stays as it is."""
    layer = LAYER.fullmatch(name)
    if layer and layer[2] in LAYER_NAMES:
        return f"model.layers.{layer[1]}.{LAYER_NAMES[layer[2]]}.weight"
    return NAMES.get(name, name)


def hf_config(
    path: Path, metadata: Mapping[str, object], tensors: Mapping[str, TensorInfo], dtype: str
) -> dict[str, object]:
    """A `config.json` for what a file says of its network.

    Args:
        path: The file, for error messages.
        metadata: As its header has it.
        tensors: Under the file's own names.
        dtype: What the numbers are to be written in, by torch's name.

    Raises:
        UnsupportedModelError: Another architecture, or one part of several.
        ModelFileError: A key or the embedding is missing or of another type.
    """
    fields = Fields(metadata, str(path))
    prefix = _architecture(fields)
    if fields.integer("split.count", 0, MAX, default=1) > 1:
        raise UnsupportedModelError(
            f"{path} is one part of several",
            hint="Join them with llama.cpp's `llama-gguf-split --merge`.",
        )
    if EMBEDDING not in tensors:
        raise ModelFileError(f"{path}: the tensor {EMBEDDING} is missing")
    config = _sizes(fields, prefix) | {
        "vocab_size": tensors[EMBEDDING].shape[0],
        "tie_word_embeddings": HEAD not in tensors,
        "torch_dtype": dtype,
        "rope_scaling": _rope_scaling(fields, prefix),
    }
    return config | (_experts(fields, prefix) if prefix == "qwen3moe" else {})


def _architecture(fields: Fields) -> str:
    name = fields.text("general.architecture")
    if name not in ARCHITECTURES:
        raise UnsupportedModelError(
            f"{fields.describe('general.architecture')} is not supported",
            hint=f"Supported architectures: {', '.join(ARCHITECTURES)}.",
        )
    return name


def _sizes(fields: Fields, prefix: str) -> dict[str, object]:
    def integer(name: str, default: int | None = None) -> int:
        return fields.integer(f"{prefix}.{name}", 1, MAX, default)

    hidden, heads = integer("embedding_length"), integer("attention.head_count")
    model_type, architecture = ARCHITECTURES[prefix]
    expert = integer("expert_feed_forward_length") if prefix == "qwen3moe" else None
    return {
        "architectures": [architecture],
        "model_type": model_type,
        "hidden_act": "silu",
        "attention_bias": False,
        "hidden_size": hidden,
        "num_hidden_layers": integer("block_count"),
        "intermediate_size": integer("feed_forward_length", expert),
        "num_attention_heads": heads,
        "num_key_value_heads": integer("attention.head_count_kv", heads),
        "head_dim": integer("attention.key_length", hidden // heads),
        "max_position_embeddings": integer("context_length"),
        "rms_norm_eps": _number(fields, f"{prefix}.attention.layer_norm_rms_epsilon"),
        "rope_theta": _number(fields, f"{prefix}.rope.freq_base"),
    }


def _experts(fields: Fields, prefix: str) -> dict[str, object]:
    """llama.cpp always renormalises Qwen3's routing weights, and has experts in every layer."""
    names = {
        "num_experts": "expert_count",
        "num_experts_per_tok": "expert_used_count",
        "moe_intermediate_size": "expert_feed_forward_length",
    }
    sizes = {name: fields.integer(f"{prefix}.{key}", 1, MAX) for name, key in names.items()}
    return sizes | {"norm_topk_prob": True, "decoder_sparse_step": 1, "mlp_only_layers": []}


def _rope_scaling(fields: Fields, prefix: str) -> dict[str, object] | None:
    """What llama.cpp does about positions; it takes a factor beside no type for linear."""
    scaling = f"{prefix}.rope.scaling"
    stated = f"{scaling}.factor" in fields
    kind = fields.text(f"{scaling}.type", default="linear" if stated else "none")
    if kind == "none":
        return None
    _refuse_other_strengths(fields, scaling)
    factor = _number(fields, f"{scaling}.factor", default=1.0)
    stretch: dict[str, object] = {"rope_type": kind, "factor": factor}
    return stretch | (_yarn(fields, prefix) if kind == "yarn" else {})


def _refuse_other_strengths(fields: Fields, scaling: str) -> None:
    """Hugging Face means the whole by them, llama.cpp what comes on top of the factor's."""
    for name in (f"{scaling}.{strength}" for strength in STRENGTHS):
        if _number(fields, name, default=1.0) != 1:
            raise UnsupportedModelError(f"{fields.describe(name)} is not supported: only 1")


def _yarn(fields: Fields, prefix: str) -> dict[str, object]:
    """llama.cpp counts from the whole context where no original length is named."""
    scaling = f"{prefix}.rope.scaling"
    whole = fields.integer(f"{prefix}.context_length", 1, MAX)
    original = fields.integer(f"{scaling}.original_context_length", 1, MAX, default=whole)
    betas: dict[str, object] = {
        name: _number(fields, f"{scaling}.yarn_{name}")
        for name in ("beta_fast", "beta_slow")
        if f"{scaling}.yarn_{name}" in fields
    }
    return betas | {"original_max_position_embeddings": original}


def _number(fields: Fields, name: str, default: float | None = None) -> float:
    """A float32 as a person wrote it: 1e-06, and not 9.999999974752427e-07."""
    return float(f"{fields.number(name, 0, 1e12, default):.7g}")
