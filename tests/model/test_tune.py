"""A network rearranged for speed says what it said before."""

from __future__ import annotations

from collections.abc import Iterator

import mlx.core as mx
import pytest
from mlx.nn.layers.quantized import quantize

from qwen3_mlx.model import Qwen3, Qwen3Config, make_cache
from qwen3_mlx.model.compiled import compile_step
from qwen3_mlx.model.expand import TransposedLinear, WholeEmbedding, expand, whole_bytes
from qwen3_mlx.model.fuse import FusedAttention, FusedMLP, FusedSwitchMLP, fuse
from qwen3_mlx.model.layers import Attention
from qwen3_mlx.model.modules import QuantizedLinear
from qwen3_mlx.model.moe import QuantizedSwitchLinear
from qwen3_mlx.model.tune import tune
from tests.model.conftest import DENSE, MOE, Distance, MakeModel

YARN = {
    "rope_type": "yarn",
    "factor": 4.0,
    "original_max_position_embeddings": 256,
}
NETWORKS = {
    "dense": DENSE,
    "tied": {**DENSE, "tie_word_embeddings": True},
    "one head for each": {**DENSE, "num_key_value_heads": 4},
    "yarn": {**DENSE, "rope_scaling": YARN},
    "moe": MOE,
    "moe, some layers dense": {**MOE, "mlp_only_layers": [1]},
}
GIGABYTE = 10**9
IDS = mx.arange(3, 51)[None]


@pytest.fixture(params=NETWORKS)
def config(request: pytest.FixtureRequest) -> Qwen3Config:
    return Qwen3Config.from_hf(NETWORKS[request.param])


@pytest.fixture
def uncompiled() -> Iterator[None]:
    """The graph is run as it is, without the C++ compiler that the CPU backend needs."""
    mx.disable_compile()
    yield
    mx.enable_compile()


@pytest.fixture(params=["whole", "4 bits", "mxfp4"])
def model(request: pytest.FixtureRequest, config: Qwen3Config, make_model: MakeModel) -> Qwen3:
    model = make_model(config)
    if request.param == "4 bits":
        quantize(model, 32, 4)
    elif request.param == "mxfp4":
        quantize(model, mode="mxfp4")
    return model


def test_fused_it_computes_the_same_numbers(model: Qwen3, distance: Distance) -> None:
    before = model(IDS)
    mx.eval(before)
    fuse(model)
    assert isinstance(model.model.layers[0].self_attn, FusedAttention)
    assert distance(model(IDS), before) < 1e-5


def test_laid_out_for_the_cpu_it_computes_the_same_numbers(
    model: Qwen3, distance: Distance
) -> None:
    before = model(IDS)
    mx.eval(before)
    tune(model, spare=GIGABYTE, compiled=False)
    assert isinstance(model.model.layers[0].self_attn.o_proj, TransposedLinear)
    assert distance(model(IDS), before) < 1e-4


def test_many_tokens_through_experts_made_whole(make_model: MakeModel, distance: Distance) -> None:
    """40 tokens to 4 experts each are 10 rows for each of the 16: enough to make them whole."""
    model = make_model(Qwen3Config.from_hf(MOE))
    quantize(model, 32, 4)
    before = model(IDS[:, :40])
    mx.eval(before)
    expand(model, GIGABYTE)
    assert distance(model(IDS[:, :40]), before) < 1e-4


def test_what_does_not_fit_stays_quantized(make_model: MakeModel) -> None:
    model = make_model(Qwen3Config.from_hf({**DENSE, "tie_word_embeddings": True}))
    quantize(model, 32, 4)
    attention = 64 * 128 * 2 + 2 * 64 * 64  # queries and output; keys and values
    whole = 4 * (3 * (attention + 3 * 64 * 96) + 64 * 64)
    expand(model, whole - 1)
    assert isinstance(model.model.layers[0].mlp.up_proj, QuantizedLinear)
    expand(model, whole)
    assert isinstance(model.model.layers[0].mlp.up_proj, TransposedLinear)
    assert isinstance(model.model.embed_tokens, WholeEmbedding)


def test_experts_stay_quantized_in_memory(make_model: MakeModel) -> None:
    model = make_model(Qwen3Config.from_hf(MOE))
    quantize(model, 32, 4)
    tune(model, spare=GIGABYTE, compiled=False)
    experts = model.model.layers[0].mlp.switch_mlp
    assert isinstance(experts, FusedSwitchMLP)
    for linear in (experts.gate_up_proj, experts.down_proj):
        assert isinstance(linear, QuantizedSwitchLinear)
        assert linear.weight.dtype == mx.uint32
    assert whole_bytes(experts.down_proj) == 16 * 64 * 64 * 4


def test_parts_quantized_in_different_ways_are_not_joined(
    make_model: MakeModel, distance: Distance
) -> None:
    def mixed(path: str, module: object) -> bool | dict[str, object]:
        eight = path.endswith(("v_proj", "up_proj"))
        return hasattr(module, "to_quantized") and {"group_size": 32, "bits": 8 if eight else 4}

    model = make_model(Qwen3Config.from_hf(DENSE))
    quantize(model, 32, 4, class_predicate=mixed)
    before = model(IDS)
    mx.eval(before)
    fuse(model)
    layer = model.model.layers[0]
    assert type(layer.self_attn) is Attention
    assert not isinstance(layer.mlp, FusedMLP)
    assert distance(model(IDS), before) == 0


@pytest.mark.usefixtures("uncompiled")
def test_step_by_step_the_compiled_graph_equals_the_whole(model: Qwen3, distance: Distance) -> None:
    """Over the borders of its window (64 on a CPU) and after going back."""
    ids = mx.random.randint(0, 64, (1, 140), key=mx.random.key(1))
    expected = model(ids)
    mx.eval(expected)
    tune(model, spare=GIGABYTE, compiled=True)
    cache = make_cache(model.config)
    mx.eval(model.advance(ids[:, :60], cache))
    for layer in cache:
        layer.rewind(58)
    for position in range(58, 140):
        logits = model.next_logits(ids[:, position], cache)
        assert distance(logits, expected[:, position]) < 1e-4
    assert [layer.offset for layer in cache] == [140] * 3


@pytest.mark.usefixtures("uncompiled")
def test_an_error_leaves_the_cache_as_it_was(
    make_model: MakeModel, monkeypatch: pytest.MonkeyPatch, distance: Distance
) -> None:
    model = make_model(Qwen3Config.from_hf(DENSE))
    expected = model(IDS)
    compile_step(model)
    cache = make_cache(model.config)
    mx.eval(model.advance(IDS[:, :47], cache))
    with monkeypatch.context() as patch:
        patch.setattr(Qwen3, "last_logits", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            model.next_logits(IDS[:, 47], cache)
    assert distance(model.next_logits(IDS[:, 47], cache), expected[:, 47]) < 1e-4


def test_a_step_needs_a_prompt(make_model: MakeModel) -> None:
    model = make_model(Qwen3Config.from_hf(DENSE))
    compile_step(model)
    with pytest.raises(ValueError, match="the cache is empty"):
        model.next_logits(mx.array([1]), make_cache(model.config))
