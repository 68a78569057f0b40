"""What a Qwen3 network looks like: its sizes and switches.

Knows Hugging Face's ``config.json``, old and new, and refuses by name what is not implemented.
Does not read files, and allocates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from qwen3_mlx.errors import UnsupportedModelError, UsageError, shown
from qwen3_mlx.model.fields import Fields
from qwen3_mlx.model.scaling import (
    MAX_POSITIONS,
    RopeScaling,
    read_scaling,
    refuse_partial_rotation,
)

# The hybrids publish 40960 = 32768 of output + 8192 of prompt; they were trained on 32768,
# and that is the length YaRN's factor multiplies.
HYBRID_POSITIONS = 40960
HYBRID_NATIVE = 32768

# The longest stretch that the YaRN paper evaluates.
MAX_YARN_FACTOR = 32

MODEL_TYPES = ("qwen3", "qwen3_moe")


LONGEST_CONTEXT = 10**24
"""Tokens that no machine has memory for; the memory of fewer can still be told."""


@dataclass(frozen=True)
class Qwen3Config:
    """Sizes and switches of one network, under Hugging Face's names.

    Attributes:
        num_experts: Experts in each sparse layer; 0 for a dense model.
        dtype: Name of the type the weights were saved in, if the file says so.
        context: A context length asked for with :meth:`with_context`; None for the model's own.
    """

    model_type: Literal["qwen3", "qwen3_moe"]
    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int
    rope_scaling: RopeScaling | None = None
    tie_word_embeddings: bool = False
    num_experts: int = 0
    num_experts_per_tok: int = 0
    moe_intermediate_size: int = 0
    norm_topk_prob: bool = False
    mlp_only_layers: tuple[int, ...] = ()
    decoder_sparse_step: int = 1
    dtype: str | None = None
    context: int | None = None

    @classmethod
    def from_hf(cls, data: Mapping[str, object]) -> Qwen3Config:
        """Read a parsed ``config.json``, as transformers 4 or 5 or mlx-lm wrote it.

        Raises:
            UnsupportedModelError: The file asks for something that is not implemented.
            ModelFileError: A field is missing, of the wrong type, absurd or contradictory.
        """
        return read_config(Fields(data, "config.json"))

    def is_sparse(self, layer: int) -> bool:
        """Whether layer number ``layer`` (from 0) has experts instead of one MLP."""
        return (
            self.num_experts > 0
            and layer not in self.mlp_only_layers
            and (layer + 1) % self.decoder_sparse_step == 0
        )

    @property
    def native_length(self) -> int:
        """Positions the model was trained on: what a YaRN factor multiplies."""
        if self.rope_scaling is not None:
            return self.rope_scaling.original_max_position_embeddings
        if self.max_position_embeddings == HYBRID_POSITIONS:
            return HYBRID_NATIVE
        return self.max_position_embeddings

    @property
    def context_length(self) -> int:
        """Tokens that prompt and reply may have together."""
        return self.context or self._reach

    @property
    def longest_context(self) -> int:
        """Tokens that the context can be made for at most, see `with_context`."""
        if self.rope_scaling is not None and self.rope_scaling.rope_type != "yarn":
            return self._reach
        return max(self._reach, MAX_YARN_FACTOR * self.native_length)

    @property
    def _reach(self) -> int:
        stretched = self.rope_scaling.length if self.rope_scaling else 0
        return max(stretched, self.max_position_embeddings)

    def with_context(self, length: int) -> Qwen3Config:
        """The same network for ``length`` tokens of context.

        Within what the configuration covers already, the rotation stays as it is. Beyond it,
        YaRN is turned on with the smallest power of two as factor that covers ``length``.

        Raises:
            UsageError: ``length`` is not positive, beyond 32 times the native length, or
                beyond what a linear scaling in the file covers.
        """
        check_context(length)
        if length <= self._reach:
            return replace(self, context=length)
        return replace(self, context=length, rope_scaling=self._yarn(length))

    def _yarn(self, length: int) -> RopeScaling:
        scaling = self.rope_scaling or RopeScaling.yarn(1.0, self.native_length)
        if scaling.rope_type != "yarn":
            raise UsageError(
                f"a context of {length} tokens needs YaRN, and the model uses {scaling.rope_type}",
                hint=f"It covers {self._reach} tokens.",
            )
        return scaling.stretched(self._yarn_factor(length))

    def _yarn_factor(self, length: int) -> float:
        factor = 2
        while factor * self.native_length < length:
            factor *= 2
        if factor > MAX_YARN_FACTOR:
            raise UsageError(
                f"a context of {length} tokens is too long for this model",
                hint=f"It can be stretched to {MAX_YARN_FACTOR * self.native_length} tokens.",
            )
        return float(factor)


def read_config(fields: Fields) -> Qwen3Config:
    """Build a :class:`Qwen3Config` from checked fields; see :meth:`Qwen3Config.from_hf`."""
    model_type = _model_type(fields)
    _refuse_unsupported(fields)
    layers = fields.integer("num_hidden_layers", 1, 1024)
    positions = fields.integer("max_position_embeddings", 1, MAX_POSITIONS)
    heads, kv_heads = _heads(fields)
    config = Qwen3Config(
        model_type=model_type,
        vocab_size=fields.integer("vocab_size", 1, 2**22),
        hidden_size=fields.integer("hidden_size", 1, 2**17),
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        head_dim=_head_dim(fields),
        intermediate_size=fields.integer("intermediate_size", 1, 2**20),
        rms_norm_eps=fields.number("rms_norm_eps", 1e-12, 1e-1),
        rope_theta=_rope_theta(fields),
        max_position_embeddings=positions,
        rope_scaling=_rope_scaling(fields, positions),
        tie_word_embeddings=fields.boolean("tie_word_embeddings", default=False),
        dtype=_dtype(fields),
    )
    return _with_experts(config, fields) if model_type == "qwen3_moe" else config


def _model_type(fields: Fields) -> Literal["qwen3", "qwen3_moe"]:
    match fields.text("model_type"):
        case "qwen3":
            return "qwen3"
        case "qwen3_moe":
            return "qwen3_moe"
    raise UnsupportedModelError(
        f"{fields.describe('model_type')} is not supported",
        hint=f"Supported model types: {', '.join(MODEL_TYPES)}.",
    )


def _refuse_unsupported(fields: Fields) -> None:
    for name in ("attention_bias", "use_sliding_window"):
        if fields.boolean(name, default=False):
            raise UnsupportedModelError(f"{fields.describe(name)} is not supported")
    if "original_max_position_embeddings" in fields:
        raise UnsupportedModelError(
            f"{fields.describe('original_max_position_embeddings')} is not supported here",
            hint="It belongs into rope_parameters or rope_scaling.",
        )
    if any(kind != "full_attention" for kind in fields.sequence("layer_types")):
        raise UnsupportedModelError(
            f"{fields.describe('layer_types')} is not supported: every layer must be full_attention"
        )
    refuse_partial_rotation(fields)
    if fields.text("hidden_act", default="silu") != "silu":
        raise UnsupportedModelError(f"{fields.describe('hidden_act')} is not supported: only silu")


def _heads(fields: Fields) -> tuple[int, int]:
    heads = fields.integer("num_attention_heads", 1, 1024)
    kv_heads = fields.integer("num_key_value_heads", 1, heads, default=heads)
    if heads % kv_heads:
        raise fields.wrong("num_key_value_heads", f"must divide num_attention_heads = {heads}")
    return heads, kv_heads


def _head_dim(fields: Fields) -> int:
    head_dim = fields.integer("head_dim", 2, 1024)
    if head_dim % 2:
        raise fields.wrong("head_dim", "must be even")
    return head_dim


def _rope_theta(fields: Fields) -> float:
    nested = [fields.mapping("rope_parameters"), fields.mapping("rope_scaling")]
    first, *others = [part for part in (fields, *nested) if "rope_theta" in part] or [fields]
    theta = first.number("rope_theta", 2.0, 1e12)
    for other in others:
        if other.number("rope_theta", 2.0, 1e12) != theta:
            raise first.wrong("rope_theta", f"contradicts {other.describe('rope_theta')}")
    return theta


def _rope_scaling(fields: Fields, positions: int) -> RopeScaling | None:
    old = read_scaling(fields.mapping("rope_scaling"), positions)
    new = read_scaling(fields.mapping("rope_parameters"), positions)
    if old and new and old != new:
        raise fields.wrong("rope_scaling", "contradicts rope_parameters")
    return old or new


def _dtype(fields: Fields) -> str | None:
    for name in ("dtype", "torch_dtype"):
        if name in fields:
            return fields.text(name)
    return None


def _with_experts(config: Qwen3Config, fields: Fields) -> Qwen3Config:
    experts = _num_experts(fields)
    if experts == 0:
        return config
    return replace(
        config,
        num_experts=experts,
        num_experts_per_tok=fields.integer("num_experts_per_tok", 1, experts),
        moe_intermediate_size=fields.integer("moe_intermediate_size", 1, 2**20),
        norm_topk_prob=fields.boolean("norm_topk_prob", default=False),
        mlp_only_layers=_mlp_only_layers(fields, config.num_hidden_layers),
        decoder_sparse_step=fields.integer("decoder_sparse_step", 1, 1024, default=1),
    )


def _num_experts(fields: Fields) -> int:
    names = [name for name in ("num_experts", "num_local_experts") if name in fields]
    found = [fields.integer(name, 0, 4096) for name in names]
    if len(set(found)) > 1:
        raise fields.wrong("num_experts", f"contradicts {fields.describe('num_local_experts')}")
    return found[0] if found else fields.integer("num_experts", 0, 4096)


def _mlp_only_layers(fields: Fields, layers: int) -> tuple[int, ...]:
    numbers: list[int] = []
    for number in fields.sequence("mlp_only_layers"):
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < layers:
            raise fields.wrong("mlp_only_layers", f"must hold layer numbers below {layers}")
        numbers.append(number)
    return tuple(numbers)


def check_context(length: int) -> None:
    """Refuse a context that is none, whatever the model and the machine.

    Raises:
        UsageError: It is no whole number above 0, or beyond all machines.
    """
    if type(length) is not int or not 0 < length <= LONGEST_CONTEXT:
        raise UsageError(f"a context of {shown(length)} tokens is not possible")
