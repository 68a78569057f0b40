"""The whole network: its parameters' names and sizes, and its ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.model import Qwen3, Qwen3Config, check_ids

if TYPE_CHECKING:
    from tests.model.conftest import Data, Distance, Parameters

ATTENTION = [f"self_attn.{name}" for name in ("q_proj", "k_proj", "v_proj", "o_proj")]
NORMS = ["self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"]
MLP = [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
EXPERTS = ["mlp.gate", *(f"mlp.switch_mlp.{name}_proj" for name in ("gate", "up", "down"))]


def build(data: Data) -> Qwen3:
    return Qwen3(Qwen3Config.from_hf(data))


@pytest.mark.parametrize("tied", [True, False])
def test_parameter_names_are_hugging_faces(
    dense: Data, moe: Data, parameters: Parameters, tied: bool
) -> None:
    whole = {"model.embed_tokens.weight", "model.norm.weight"}
    whole |= set() if tied else {"lm_head.weight"}
    for data, mlp in ((dense, MLP), (moe, EXPERTS)):
        layer = {
            f"model.layers.{number}.{part}.weight"
            for number in range(3)
            for part in (*ATTENTION, *NORMS, *mlp)
        }
        model = build({**data, "tie_word_embeddings": tied})
        assert set(parameters(model)) == whole | layer


def test_experts_are_stacked(moe: Data, parameters: Parameters) -> None:
    model = build({**moe, "moe_intermediate_size": 24})
    found = {name: value.shape for name, value in parameters(model).items()}
    assert found["model.layers.0.mlp.gate.weight"] == (16, 64)
    assert found["model.layers.0.mlp.switch_mlp.up_proj.weight"] == (16, 24, 64)
    assert found["model.layers.0.mlp.switch_mlp.down_proj.weight"] == (16, 64, 24)


# Layers, hidden, heads, kv heads, MLP width, tied; billions of parameters from the model cards.
DENSE_SIZES = {
    "0.6B": ((28, 1024, 16, 8, 3072, True), 0.6),
    "1.7B": ((28, 2048, 16, 8, 6144, True), 1.7),
    "4B": ((36, 2560, 32, 8, 9728, True), 4.0),
    "8B": ((36, 4096, 32, 8, 12288, False), 8.2),
    "14B": ((40, 5120, 40, 8, 17408, False), 14.8),
    "32B": ((64, 5120, 64, 8, 25600, False), 32.8),
}
MOE_SIZES = {
    "30B-A3B": ((48, 2048, 32, 4, 768, False), 30.5),
    "235B-A22B": ((94, 4096, 64, 4, 1536, False), 235),
}
NAMES = ["num_hidden_layers", "hidden_size", "num_attention_heads", "num_key_value_heads"]


@pytest.mark.parametrize("name", [*DENSE_SIZES, *MOE_SIZES])
def test_full_sizes_have_the_published_number_of_parameters(
    dense: Data, moe: Data, parameters: Parameters, name: str
) -> None:
    """Counted without computing a single weight: MLX is lazy."""
    (*sizes, width, tied), published = {**DENSE_SIZES, **MOE_SIZES}[name]
    common = {**dict(zip(NAMES, sizes, strict=True)), "head_dim": 128, "vocab_size": 151936}
    common["tie_word_embeddings"] = tied
    if name in DENSE_SIZES:
        data = {**dense, **common, "intermediate_size": width}
    else:
        experts = {"num_experts": 128, "num_experts_per_tok": 8, "moe_intermediate_size": width}
        data = {**moe, **common, **experts}
    count = sum(weight.size for weight in parameters(build(data)).values())
    assert count / 1e9 == pytest.approx(published, rel=0.02)


@pytest.mark.parametrize("ids", [[], [0], [63], [1, 2, 3]])
def test_ids_within_the_vocabulary_are_fine(dense: Data, ids: list[int]) -> None:
    check_ids(ids, Qwen3Config.from_hf(dense))


@pytest.mark.parametrize(("ids", "named"), [([64], 64), ([3, -1], -1), ([0, 151643, 99], 151643)])
def test_ids_outside_the_vocabulary_are_named(dense: Data, ids: list[int], named: int) -> None:
    with pytest.raises(UsageError, match=f"token id {named} "):
        check_ids(ids, Qwen3Config.from_hf(dense))


@pytest.mark.metal
def test_half_precision_stays_close_to_float32_on_the_gpu(moe: Data, distance: Distance) -> None:
    model = Qwen3(Qwen3Config.from_hf(moe))
    ids = mx.arange(30)[None]
    exact = model(ids)
    model.set_dtype(mx.bfloat16)
    assert model(ids).dtype == mx.bfloat16
    assert distance(model(ids), exact) < 0.2
