"""The tensors that a network needs: names, shapes and types, as mlx-lm names and stacks them.

Knows what a configuration and a quantization make of each weight. Does not know files.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from qwen3_mlx.checkpoint.quantization import Quantization, QuantSpec
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.model import Qwen3Config

Shape = tuple[int, ...]

FLOATS = ("F32", "F16", "BF16")

EXPERTS = "mlp.switch_mlp"


@dataclass(frozen=True)
class ExpectedTensor:
    """What a tensor must look like.

    Attributes:
        dtypes: The types its numbers may have, by their safetensors names.
    """

    shape: Shape
    dtypes: tuple[str, ...] = FLOATS


def expected_tensors(config: Qwen3Config, specs: dict[str, QuantSpec]) -> dict[str, ExpectedTensor]:
    """Every tensor of a network by name.

    Args:
        config: The network.
        specs: The modules whose weights are quantized, as from :func:`module_specs`.

    Raises:
        ModelFileError: A weight does not divide into the groups of its quantization.
    """
    tensors = {name: ExpectedTensor(shape) for name, shape in _norms(config).items()}
    for path, shape in matrices(config).items():
        spec = specs.get(path)
        tensors |= _quantized(path, shape, spec) if spec else _whole(path, shape)
    return tensors


def module_specs(
    config: Qwen3Config, quantization: Quantization | None, present: Container[str]
) -> dict[str, QuantSpec]:
    """How the modules are quantized that are, by path.

    Args:
        config: The network.
        quantization: What ``config.json`` says.
        present: Names of the tensors that the checkpoint has.
    """
    if quantization is None:
        return {}
    found = {
        path: quantization.spec(path, has_scales=f"{path}.scales" in present)
        for path in matrices(config)
    }
    return {path: spec for path, spec in found.items() if spec}


def ignorable_tensors(config: Qwen3Config) -> dict[str, ExpectedTensor]:
    """Tensors that published checkpoints carry and no network needs."""
    inverse_frequencies = ExpectedTensor((config.head_dim // 2,))
    names = [f"{_layer(n)}.self_attn.rotary_emb.inv_freq" for n in range(config.num_hidden_layers)]
    tensors = dict.fromkeys((*names, "model.rotary_emb.inv_freq"), inverse_frequencies)
    if config.tie_word_embeddings:
        tensors["lm_head.weight"] = ExpectedTensor((config.vocab_size, config.hidden_size))
    return tensors


def matrices(config: Qwen3Config) -> dict[str, Shape]:
    """Shapes of the weights that can be quantized, by the path of their module."""
    embedding = (config.vocab_size, config.hidden_size)
    shapes: dict[str, Shape] = {"model.embed_tokens": embedding}
    for number in range(config.num_hidden_layers):
        shapes |= _attention(config, number)
        shapes |= _experts(config, number) if config.is_sparse(number) else _mlp(config, number)
    if not config.tie_word_embeddings:
        shapes["lm_head"] = embedding
    return shapes


def expert_module(number: int) -> str:
    """The path of the module that holds the experts of a sparse layer."""
    return f"{_layer(number)}.{EXPERTS}"


def is_expert_tensor(name: str) -> bool:
    """Whether a tensor holds weights of experts, all of them stacked."""
    return f".{EXPERTS}." in name


def _layer(number: int) -> str:
    return f"model.layers.{number}"


def _attention(config: Qwen3Config, number: int) -> dict[str, Shape]:
    prefix, hidden = f"{_layer(number)}.self_attn", config.hidden_size
    queries = config.num_attention_heads * config.head_dim
    keys = config.num_key_value_heads * config.head_dim
    return {
        f"{prefix}.q_proj": (queries, hidden),
        f"{prefix}.k_proj": (keys, hidden),
        f"{prefix}.v_proj": (keys, hidden),
        f"{prefix}.o_proj": (hidden, queries),
    }


def _mlp(config: Qwen3Config, number: int) -> dict[str, Shape]:
    return _swiglu(f"{_layer(number)}.mlp", (), config.hidden_size, config.intermediate_size)


def _experts(config: Qwen3Config, number: int) -> dict[str, Shape]:
    experts, hidden = config.num_experts, config.hidden_size
    stacked = _swiglu(expert_module(number), (experts,), hidden, config.moe_intermediate_size)
    return {f"{_layer(number)}.mlp.gate": (experts, hidden), **stacked}


def _swiglu(prefix: str, stack: Shape, hidden: int, width: int) -> dict[str, Shape]:
    return {
        f"{prefix}.gate_proj": (*stack, width, hidden),
        f"{prefix}.up_proj": (*stack, width, hidden),
        f"{prefix}.down_proj": (*stack, hidden, width),
    }


def _norms(config: Qwen3Config) -> dict[str, Shape]:
    hidden, dims = (config.hidden_size,), (config.head_dim,)
    shapes: dict[str, Shape] = {"model.norm.weight": hidden}
    for prefix in map(_layer, range(config.num_hidden_layers)):
        shapes[f"{prefix}.input_layernorm.weight"] = hidden
        shapes[f"{prefix}.post_attention_layernorm.weight"] = hidden
        shapes[f"{prefix}.self_attn.q_norm.weight"] = dims
        shapes[f"{prefix}.self_attn.k_norm.weight"] = dims
    return shapes


def _whole(path: str, shape: Shape) -> dict[str, ExpectedTensor]:
    return {f"{path}.weight": ExpectedTensor(shape)}


def _quantized(path: str, shape: Shape, spec: QuantSpec) -> dict[str, ExpectedTensor]:
    *rows, width = shape
    if width % spec.group_size:
        raise ModelFileError(
            f"config.json: quantization: {path} has rows of {width} numbers, "
            f"which groups of {spec.group_size} do not divide"
        )
    groups = (*rows, width // spec.group_size)
    scales = ExpectedTensor(groups, FLOATS if spec.mode == "affine" else ("U8",))
    tensors = {
        f"{path}.weight": ExpectedTensor((*rows, width * spec.bits // 32), ("U32",)),
        f"{path}.scales": scales,
    }
    return tensors | ({f"{path}.biases": scales} if spec.mode == "affine" else {})
