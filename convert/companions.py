"""Everything in a model folder that is not weights: the config, rewritten, and files copied.

Knows what mlx-lm expects in `config.json` and which files belong to a model. Does not know
tensors.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.files import is_there
from qwen3_mlx.checkpoint.reader import resolve_inside
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.text.files import read_bytes

TOKENIZERS = ("tokenizer.json", "tokenizer.model")
COPIED = (
    *TOKENIZERS,
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
    "generation_config.json",
    "LICENSE",
    "LICENSE.md",
    "LICENSE.txt",
    "NOTICE",
    "NOTICE.txt",
)

# transformers 5's names for what is written under the older ones, which mlx-lm reads.
RENAMED = ("num_local_experts", "rope_parameters", "dtype")
# Where the files came from, and names of Python code: nothing that the result needs.
DROPPED = ("_name_or_path", "auto_map", "model_file")
# What mlx-lm has no defaults for.
NEEDED = ("num_key_value_heads", "head_dim", "tie_word_embeddings", "rope_theta")
NEEDED_BY_EXPERTS = (
    "num_experts",
    "num_experts_per_tok",
    "moe_intermediate_size",
    "norm_topk_prob",
    "mlp_only_layers",
    "decoder_sparse_step",
)


def read_companions(source: Path) -> dict[str, bytes]:
    """The files that go into the destination unchanged, by name.

    Raises:
        ModelFileError: There is no tokenizer, or a file cannot be read.
    """
    if not any(is_there(source / name) for name in TOKENIZERS):
        raise ModelFileError(
            f"{source} has no tokenizer: neither {' nor '.join(TOKENIZERS)} is there",
            hint="Copy the tokenizer's files from where the model came from.",
        )
    there = [name for name in COPIED if is_there(source / name)]
    return {name: read_bytes(resolve_inside(source, name)) for name in there}


def mlx_config(
    raw: Mapping[str, object],
    config: Qwen3Config,
    *,
    dtype: mx.Dtype,
    quantization: Mapping[str, object] | None,
) -> dict[str, object]:
    """The destination's `config.json`, as mlx-lm writes and reads it.

    Args:
        raw: The source's config, whose other fields are kept.
        config: The same, parsed.
        dtype: Of tensors that are not quantized.
        quantization: As mlx-lm writes it; None when nothing is quantized.
    """
    kept = {name: value for name, value in raw.items() if name not in RENAMED + DROPPED}
    needed = NEEDED + (NEEDED_BY_EXPERTS if config.model_type == "qwen3_moe" else ())
    written = kept | {name: getattr(config, name) for name in needed}
    written |= {"rope_scaling": _rope_scaling(raw), "torch_dtype": _name(dtype)}
    if quantization is not None:
        # Hugging Face shows a model as quantized by the second name only.
        written |= {"quantization": quantization, "quantization_config": quantization}
    return written


def _rope_scaling(raw: Mapping[str, object]) -> dict[str, object] | None:
    """The older form of `rope_parameters`, which holds `rope_theta` too."""
    for stated in (raw.get("rope_scaling"), raw.get("rope_parameters")):
        if isinstance(stated, Mapping) and _rope_type(stated) != "default":
            return {name: value for name, value in stated.items() if name != "rope_theta"}
    return None


def _rope_type(stated: Mapping[str, object]) -> object:
    return stated.get("rope_type") or stated.get("type") or "default"


def _name(dtype: mx.Dtype) -> str:
    return str(dtype).removeprefix("mlx.core.")
