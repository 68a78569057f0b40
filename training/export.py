"""A training checkpoint as a Hugging Face folder in bfloat16: the converter's input.

Knows file names and the config's fields.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.exported import published_names
from training.network import Shape
from training.tokenizer import write as write_tokenizer
from training.train import SHAPES

TEMPLATE = Path(__file__).with_name("chat_template.jinja")


def config(shape: Shape) -> dict[str, object]:
    """config.json, with the fields of the published Qwen3 configs."""
    fields = asdict(shape)
    sparse = shape.num_experts > 0
    if not sparse:
        for name in ("num_experts", "num_experts_per_tok", "moe_intermediate_size"):
            del fields[name]
    else:
        fields |= {
            "decoder_sparse_step": 1,
            "mlp_only_layers": [],
            "norm_topk_prob": True,
            "output_router_logits": False,
            "router_aux_loss_coef": 0.01,
        }
    return fields | {
        "architectures": ["Qwen3MoeForCausalLM" if sparse else "Qwen3ForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "model_type": "qwen3_moe" if sparse else "qwen3",
        "rope_scaling": None,
        "sliding_window": None,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
        "use_sliding_window": False,
    }


def generation_config(tokenizer: Tokenizer) -> dict[str, object]:
    """Greedy: a small model's arithmetic is not a matter of taste."""
    end = [tokenizer.token_to_id(t) for t in ("<|im_end|>", "<|endoftext|>")]
    return {"do_sample": False, "eos_token_id": end, "pad_token_id": end[1]}


def _write_json(path: Path, data: dict[str, object]) -> None:
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n")


def export(name: str, run: Path, destination: Path) -> None:
    """Write the model of ``run``'s checkpoint to ``destination``/name."""
    directory = destination / name
    tokenizer = Tokenizer.from_file(str(run / "tokenizer.json"))
    write_tokenizer(tokenizer, TEMPLATE.read_text(), directory)
    weights = torch.load(run / f"{name}.pt", weights_only=True)["model"]
    save_file(published_names(weights), directory / "model.safetensors", metadata={"format": "pt"})
    _write_json(directory / "config.json", config(SHAPES[name]))
    _write_json(directory / "generation_config.json", generation_config(tokenizer))
