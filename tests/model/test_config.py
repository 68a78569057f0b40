"""Reading Hugging Face configurations, and refusing what cannot be honoured."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.model import Qwen3Config, RopeScaling

if TYPE_CHECKING:
    from tests.model.conftest import Data

YARN: Data = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}


def test_a_published_dense_config() -> None:
    """Qwen3-4B as published: every field that the network uses, by hand."""
    config = Qwen3Config.from_hf(
        {
            "architectures": ["Qwen3ForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": 151643,
            "eos_token_id": 151645,
            "head_dim": 128,
            "hidden_act": "silu",
            "hidden_size": 2560,
            "initializer_range": 0.02,
            "intermediate_size": 9728,
            "max_position_embeddings": 40960,
            "max_window_layers": 36,
            "model_type": "qwen3",
            "num_attention_heads": 32,
            "num_hidden_layers": 36,
            "num_key_value_heads": 8,
            "rms_norm_eps": 1e-06,
            "rope_scaling": None,
            "rope_theta": 1000000,
            "sliding_window": None,
            "tie_word_embeddings": True,
            "torch_dtype": "bfloat16",
            "transformers_version": "4.51.0",
            "use_cache": True,
            "use_sliding_window": False,
            "vocab_size": 151936,
        }
    )
    assert config == Qwen3Config(
        model_type="qwen3",
        vocab_size=151936,
        hidden_size=2560,
        num_hidden_layers=36,
        num_attention_heads=32,
        num_key_value_heads=8,
        head_dim=128,
        intermediate_size=9728,
        rms_norm_eps=1e-6,
        rope_theta=1e6,
        max_position_embeddings=40960,
        tie_word_embeddings=True,
        dtype="bfloat16",
    )


def test_a_published_moe_config(moe: Data) -> None:
    config = Qwen3Config.from_hf(
        {
            **moe,
            "mlp_only_layers": [1],
            "router_aux_loss_coef": 0.001,
            "output_router_logits": False,
        }
    )
    assert (config.num_experts, config.num_experts_per_tok, config.moe_intermediate_size) == (
        16,
        4,
        64,
    )
    assert config.norm_topk_prob
    assert config.mlp_only_layers == (1,)


def test_a_dense_config_has_no_experts(dense: Data) -> None:
    config = Qwen3Config.from_hf({**dense, "num_experts": 8})
    assert config.num_experts == 0
    assert not config.is_sparse(0)


@pytest.mark.parametrize(
    ("step", "mlp_only", "sparse"),
    [
        (1, [], [True, True, True, True]),
        (2, [], [False, True, False, True]),
        (3, [], [False, False, True, False]),
        (1, [0, 3], [False, True, True, False]),
        (2, [1], [False, False, False, True]),
    ],
)
def test_which_layers_are_sparse(
    moe: Data, step: int, mlp_only: list[int], sparse: list[bool]
) -> None:
    config = Qwen3Config.from_hf(
        {**moe, "num_hidden_layers": 4, "decoder_sparse_step": step, "mlp_only_layers": mlp_only}
    )
    assert [config.is_sparse(layer) for layer in range(4)] == sparse


def new_form(old: Data) -> Data:
    """The same configuration as transformers 5 writes it."""
    new = {
        name: value
        for name, value in old.items()
        if name not in ("rope_theta", "rope_scaling", "torch_dtype", "num_experts")
    }
    scaling = old["rope_scaling"] or {"rope_type": "default"}
    assert isinstance(scaling, dict)
    new["rope_parameters"] = {**scaling, "rope_theta": old["rope_theta"]}
    new["dtype"] = old["torch_dtype"]
    if "num_experts" in old:
        new["num_local_experts"] = old["num_experts"]
    return new


@pytest.mark.parametrize("scaling", [None, YARN, {"rope_type": "linear", "factor": 2.0}])
def test_old_and_new_configs_mean_the_same(dense: Data, moe: Data, scaling: Data | None) -> None:
    for data in (dense, moe):
        old = {**data, "rope_scaling": scaling}
        assert Qwen3Config.from_hf(new_form(old)) == Qwen3Config.from_hf(old)


def test_both_forms_at_once_are_read_when_they_agree(dense: Data) -> None:
    both = {
        **dense,
        "rope_scaling": YARN,
        "rope_parameters": {**YARN, "rope_theta": 1e6},
    }
    assert Qwen3Config.from_hf(both) == Qwen3Config.from_hf({**dense, "rope_scaling": YARN})


def test_scaling_added_by_hand_to_a_new_config_counts(dense: Data) -> None:
    edited = {**new_form(dense), "rope_scaling": YARN}
    assert Qwen3Config.from_hf(edited).rope_scaling == RopeScaling.yarn(4.0, 32768)


def test_the_older_key_type_names_the_kind(dense: Data) -> None:
    scaling = {"type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
    config = Qwen3Config.from_hf({**dense, "rope_scaling": scaling})
    assert config.rope_scaling == RopeScaling.yarn(4.0, 32768)


def test_yarn_defaults_are_the_papers(dense: Data) -> None:
    scaling = Qwen3Config.from_hf({**dense, "rope_scaling": YARN}).rope_scaling
    assert scaling is not None
    assert (scaling.beta_fast, scaling.beta_slow, scaling.truncate) == (32.0, 1.0, True)
    assert scaling.attention_factor == pytest.approx(0.1 * math.log(4) + 1)


def test_yarn_without_an_original_length_stretches_the_models_own(dense: Data) -> None:
    scaling = {"rope_type": "yarn", "factor": 2.0}
    config = Qwen3Config.from_hf({**dense, "rope_scaling": scaling})
    assert config.rope_scaling == RopeScaling.yarn(2.0, 1024)
    assert config.context_length == 2048


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"model_type": "llama"}, "model_type"),
        ({"model_type": "qwen3_next"}, "model_type"),
        ({"attention_bias": True}, "attention_bias"),
        ({"use_sliding_window": True, "sliding_window": 4096}, "use_sliding_window"),
        ({"layer_types": ["full_attention", "sliding_attention"]}, "layer_types"),
        ({"hidden_act": "gelu"}, "hidden_act"),
        ({"rope_scaling": {"rope_type": "dynamic", "factor": 2.0}}, "'dynamic'"),
        ({"rope_scaling": {"type": "longrope"}}, "'longrope'"),
        ({"rope_scaling": {**YARN, "short_mscale": 1.0}}, "short_mscale"),
        ({"rope_scaling": {"rope_type": "linear", "factor": 2, "beta_fast": 32}}, "beta_fast"),
        ({"rope_parameters": {"full_attention": {"rope_type": "default"}}}, "full_attention"),
        ({"rope_scaling": {**YARN, "partial_rotary_factor": 0.5}}, "partial_rotary_factor"),
        ({"partial_rotary_factor": 0.5}, "partial_rotary_factor"),
        ({"original_max_position_embeddings": 512}, "original_max_position_embeddings"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(dense: Data, change: Data, named: str) -> None:
    with pytest.raises(UnsupportedModelError, match=named):
        Qwen3Config.from_hf({**dense, **change})


@pytest.mark.parametrize("value", [0, -1, 2**40, True, False, 64.0, "64", [64], float("nan")])
@pytest.mark.parametrize(
    "name",
    [
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "intermediate_size",
        "max_position_embeddings",
        "num_experts_per_tok",
        "moe_intermediate_size",
        "decoder_sparse_step",
    ],
)
def test_absurd_sizes_are_refused_by_name(moe: Data, name: str, value: object) -> None:
    with pytest.raises(ModelFileError, match=f"config.json: {name} = "):
        Qwen3Config.from_hf({**moe, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_experts", -1),
        ("num_experts", True),
        ("num_experts", 10**9),
        ("num_experts_per_tok", 17),
        ("num_key_value_heads", 3),
        ("num_key_value_heads", 8),
        ("head_dim", 33),
        ("rms_norm_eps", 0),
        ("rms_norm_eps", -1e-6),
        ("rms_norm_eps", "1e-6"),
        ("rms_norm_eps", float("nan")),
        ("rope_theta", 0),
        ("rope_theta", float("inf")),
        ("rope_theta", True),
        ("rope_theta", 10**400),
        ("tie_word_embeddings", 1),
        ("tie_word_embeddings", "true"),
        ("norm_topk_prob", 0),
        ("attention_bias", "no"),
        ("mlp_only_layers", 1),
        ("mlp_only_layers", [3]),
        ("mlp_only_layers", [-1]),
        ("mlp_only_layers", [True]),
        ("mlp_only_layers", ["0"]),
        ("layer_types", "full_attention"),
        ("model_type", 3),
        ("torch_dtype", 16),
        ("rope_scaling", "yarn"),
        ("rope_scaling", [1, 2]),
    ],
)
def test_wrong_values_are_refused_by_name(moe: Data, name: str, value: object) -> None:
    with pytest.raises(ModelFileError, match=f"config.json: {name} = "):
        Qwen3Config.from_hf({**moe, name: value})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("factor", 0.5),
        ("factor", 1e9),
        ("factor", "4"),
        ("factor", None),
        ("original_max_position_embeddings", 0),
        ("original_max_position_embeddings", 32768.5),
        ("attention_factor", -1.0),
        ("attention_factor", float("nan")),
        ("beta_fast", 0.5),
        ("beta_slow", 0),
        ("truncate", 1),
        ("rope_type", 7),
        ("rope_theta", -3),
    ],
)
def test_wrong_scalings_are_refused_by_name(dense: Data, name: str, value: object) -> None:
    with pytest.raises(ModelFileError, match=f"rope_scaling: {name}"):
        Qwen3Config.from_hf({**dense, "rope_scaling": {**YARN, name: value}})


@pytest.mark.parametrize(
    "change",
    [
        {"rope_parameters": {"rope_type": "default", "rope_theta": 1e4}},
        {
            "rope_theta": None,
            "rope_parameters": {"rope_theta": 1e4},
            "rope_scaling": {"rope_type": "default", "rope_theta": 1e6},
        },
        {"rope_scaling": YARN, "rope_parameters": {**YARN, "factor": 2.0}},
        {"rope_scaling": {**YARN, "type": "linear"}},
        {"num_local_experts": 8},
    ],
)
def test_contradictions_are_refused(moe: Data, change: Data) -> None:
    with pytest.raises(ModelFileError, match="contradicts"):
        Qwen3Config.from_hf({**moe, **change})


@pytest.mark.parametrize(
    "name",
    [
        "model_type",
        "vocab_size",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "head_dim",
        "intermediate_size",
        "rms_norm_eps",
        "rope_theta",
        "max_position_embeddings",
        "num_experts",
        "num_experts_per_tok",
        "moe_intermediate_size",
    ],
)
def test_a_missing_field_is_named(moe: Data, name: str) -> None:
    for data in ({**moe, name: None}, {key: moe[key] for key in moe if key != name}):
        with pytest.raises(ModelFileError, match=f"{name} is missing"):
            Qwen3Config.from_hf(data)


def test_an_error_says_what_to_do_and_stays_short(dense: Data) -> None:
    with pytest.raises(ModelFileError) as caught:
        Qwen3Config.from_hf({**dense, "hidden_size": "9" * 100_000})
    assert len(caught.value.message) < 200
    assert caught.value.hint


def test_code_that_a_config_names_is_never_looked_at(dense: Data) -> None:
    mapped: dict[str, Any] = {"AutoModelForCausalLM": "evil.Model"}
    assert Qwen3Config.from_hf({**dense, "auto_map": mapped}) == Qwen3Config.from_hf(dense)
