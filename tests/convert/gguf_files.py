"""GGUF files as llama.cpp's converter would write them, by the `gguf` package's writer."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import gguf
import mlx.core as mx
import numpy as np

from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.convert.sources.gguf.blocks import KINDS
from qwen3_mlx.model import Qwen3Config

Numbers: TypeAlias = "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"
Config: TypeAlias = Mapping[str, Any]
Add: TypeAlias = Callable[[gguf.GGUFWriter], object]

# As llama.cpp's converter names them.
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate": "ffn_gate_inp",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.switch_mlp.gate_proj": "ffn_gate_exps",
    "mlp.switch_mlp.up_proj": "ffn_up_exps",
    "mlp.switch_mlp.down_proj": "ffn_down_exps",
}
# GPT-2's alphabet.
BYTES = [chr(c) for c in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))]
ALPHABET = [*BYTES, *(chr(256 + i) for i in range(256 - len(BYTES)))]
TEMPLATE = "{{ messages }}"
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
K_QUANTS = ("Q4_K", "Q5_K", "Q6_K")
# Where the float16 numbers of a block are; the rest of its bytes may be anything.
HALVES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
}


@dataclass(frozen=True)
class Vocabulary:
    """What a file says of its tokenizer.

    Attributes:
        types: llama.cpp's type of each token.
        end: Id of the token that ends a reply.
        padding: Id of the one that fills up.
    """

    tokens: list[str]
    types: list[int]
    merges: list[str]
    end: int
    padding: int


# The alphabet, two merges, two control tokens, one of a user's, and one that fills up.
SMALL = Vocabulary(
    tokens=[*ALPHABET, "he", "hel", "<|endoftext|>", "<|im_end|>", "<think>", "[PAD261]"],
    types=[NORMAL] * 258 + [CONTROL, CONTROL, USER_DEFINED, UNUSED],
    merges=["h e", "he l"],
    end=259,
    padding=258,
)


def nothing(_: gguf.GGUFWriter) -> None:
    """Adds no metadata."""


def write_gguf(
    path: Path,
    config: Config,
    arrays: Mapping[str, mx.array],
    matrices: str,
    *,
    vocabulary: Vocabulary = SMALL,
    model: str = "gpt2",
    add: Add = nothing,
) -> Path:
    """A file with all matrices of one kind.

    Args:
        path: The file.
        config: As in a `config.json`.
        arrays: The tensors under our own names.
        matrices: Kind of all matrices.
        vocabulary: Of its tokenizer.
        model: What the file calls the kind of its tokenizer.
        add: Puts in more metadata.
    """
    writer = begin(path, config, vocabulary, model)
    add(writer)
    for name, array in arrays.items():
        kind = kind_of(name, matrices)
        data = gguf.quants.quantize(numpy(array), kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
    finish(writer)
    return path


def write_k_quants(path: Path, config: Config) -> dict[str, Numbers]:
    """A file of random blocks, its matrices K-quants of all three kinds by turns.

    Returns:
        What the `gguf` package reads in them, under our own names.
    """
    writer, numbers = begin(path, config, SMALL, "gpt2"), {}
    for count, (name, tensor) in enumerate(
        expected_tensors(Qwen3Config.from_hf(config), {}).items()
    ):
        kind = kind_of(name, K_QUANTS[count % len(K_QUANTS)])
        data = random_tensor(name, tensor.shape, kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
        numbers[name] = gguf.quants.dequantize(data, kind)
    finish(writer)
    return numbers


def begin(path: Path, config: Config, vocabulary: Vocabulary, model: str) -> gguf.GGUFWriter:
    """A file with its metadata."""
    sparse = config["model_type"] == "qwen3_moe"
    writer = gguf.GGUFWriter(path, "qwen3moe" if sparse else "qwen3")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    if sparse:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    add_vocabulary(writer, vocabulary, model)
    return writer


def add_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary, model: str) -> None:
    writer.add_tokenizer_model(model)
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(vocabulary.tokens)
    writer.add_token_types(vocabulary.types)
    writer.add_token_merges(vocabulary.merges)
    writer.add_eos_token_id(vocabulary.end)
    writer.add_pad_token_id(vocabulary.padding)
    writer.add_chat_template(TEMPLATE)


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(name: str) -> str:
    path = name.removesuffix(".weight")
    if path in NAMES:
        return f"{NAMES[path]}.weight"
    _, _, layer, part = path.split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.weight"


def numpy(array: mx.array) -> Numbers:
    return np.array(array.astype(mx.float32))


def kind_of(name: str, matrices: str) -> gguf.GGMLQuantizationType:
    """Norms and routers in float32, as llama.cpp keeps them."""
    whole = "norm" in name or name.endswith("mlp.gate.weight")
    return gguf.GGMLQuantizationType["F32" if whole else matrices]


def random_tensor(name: str, shape: tuple[int, ...], kind: gguf.GGMLQuantizationType) -> Any:
    """Bytes of blocks [..., bytes of a row], or numbers around one in float32."""
    if kind.name not in HALVES:
        seed = random.Random(name).getrandbits(32)
        return np.random.default_rng(seed).normal(1, 0.1, shape).astype(np.float32)
    blocks = math.prod(shape) // KINDS[kind.name].numbers
    data = random_blocks(kind.name, blocks, name)
    return np.frombuffer(data, np.uint8).reshape(*shape[:-1], -1)


def random_blocks(kind: str, count: int, seed: str = "") -> bytes:
    """Random bytes, the float16 among them made finite by clearing an exponent bit."""
    size = KINDS[kind].nbytes
    data = bytearray(random.Random(kind + seed).randbytes(size * count))
    for start in range(0, len(data), size):
        for half in HALVES[kind]:
            data[start + half + 1] &= 0b10111111
    return bytes(data)
