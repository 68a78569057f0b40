"""The published Qwen3 models: what each looks like, and what its weights take however rounded.

Knows shapes and formats; names are those of the catalog. Reads no files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from qwen3_mlx.checkpoint.layout import expected_tensors, matrices
from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.model import Qwen3Config

# Qwen3 technical report (arXiv 2505.09388), tables of architectures, and the published configs.
# Layers, hidden, heads, key-value heads, MLP width (of an expert, where there are any), and
# whether embedding and head are one.
SHAPES = {
    "0.6b": (28, 1024, 16, 8, 3072, True),
    "1.7b": (28, 2048, 16, 8, 6144, True),
    "4b": (36, 2560, 32, 8, 9728, True),
    "8b": (36, 4096, 32, 8, 12288, False),
    "14b": (40, 5120, 40, 8, 17408, False),
    "30b-a3b": (48, 2048, 32, 4, 768, False),
    "32b": (64, 5120, 64, 8, 25600, False),
    "235b-a22b": (94, 4096, 64, 4, 1536, False),
}
SPARSE = {"30b-a3b", "235b-a22b"}
HEAD_DIM = 128
VOCABULARY = 151936
EXPERTS, EXPERTS_USED = 128, 8

# The hybrids have 40960 positions. YaRN takes the larger ones to 131072.
POSITIONS = 40960
STRETCHED = 131072
NOT_STRETCHED = {"0.6b", "1.7b"}

# The recipes of `qwen3-mlx convert` that have one format for all weights but the routers.
FORMATS: Mapping[str, QuantSpec | None] = {
    "4bit": QuantSpec("affine", 4, 64),
    "mxfp4": QuantSpec("mxfp4", 4, 32),
    "8bit": QuantSpec("affine", 8, 64),
    "bf16": None,
}
ROUTER = QuantSpec("affine", 8, 64)
ITEM_BYTES = {"U32": 4, "U8": 1}


@dataclass(frozen=True, slots=True)
class Weights:
    """What a network's weights take in memory.

    Attributes:
        total: All bytes.
        embedding: Those of an embedding that is not the head too.
    """

    total: int
    embedding: int


def family_config(name: str) -> Qwen3Config:
    """The network of that short name; KeyError if it is none of `SHAPES`."""
    layers, hidden, heads, kv_heads, width, tied = SHAPES[name]
    sparse = name in SPARSE
    return Qwen3Config(
        model_type="qwen3_moe" if sparse else "qwen3",
        vocab_size=VOCABULARY,
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=HEAD_DIM,
        intermediate_size=width,
        rms_norm_eps=1e-6,
        rope_theta=1e6,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=tied,
        num_experts=EXPERTS if sparse else 0,
        num_experts_per_tok=EXPERTS_USED if sparse else 0,
        moe_intermediate_size=width if sparse else 0,
        norm_topk_prob=sparse,
    )


def longest_possible(name: str) -> int:
    """Tokens of context that a model can be given, stretched by YaRN where that is published."""
    return POSITIONS if name in NOT_STRETCHED else STRETCHED


def family_weights(config: Qwen3Config, spec: QuantSpec | None, item_bytes: int) -> Weights:
    """What the weights take.

    Args:
        config: The network.
        spec: How all but the routers, which take 8 bits, are rounded; None: not at all.
        item_bytes: Of each number that is not rounded, scales included.
    """
    specs = {path: _spec_of(path, spec) for path in matrices(config)} if spec else {}
    sizes = {
        name: prod(tensor.shape) * ITEM_BYTES.get(tensor.dtypes[0], item_bytes)
        for name, tensor in expected_tensors(config, specs).items()
    }
    idle = 0 if config.tie_word_embeddings else _under(sizes, "model.embed_tokens.")
    return Weights(sum(sizes.values()), idle)


def _spec_of(path: str, spec: QuantSpec) -> QuantSpec:
    return ROUTER if path.endswith(".mlp.gate") else spec


def _under(sizes: Mapping[str, int], prefix: str) -> int:
    return sum(size for name, size in sizes.items() if name.startswith(prefix))
