"""Quantized weights: every kind that mlx-lm writes, experts included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx.nn.layers.base import Module
from mlx.nn.layers.quantized import QuantizedLinear, quantize

from qwen3_mlx.model import Qwen3, Qwen3Config, make_cache
from qwen3_mlx.model.moe import QuantizedSwitchLinear, SwitchLinear

if TYPE_CHECKING:
    from tests.model.conftest import Data, Distance, MakeModel, Parameters

AFFINE = [("affine", bits, group) for bits in (2, 3, 4, 5, 6, 8) for group in (32, 64)]
KINDS = [*AFFINE, ("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]
ROUTER = {"mode": "affine", "bits": 8, "group_size": 64}


def override_router(path: str, module: Module) -> bool | dict[str, Any]:
    if path.endswith("mlp.gate"):
        return dict(ROUTER)
    return hasattr(module, "to_quantized")


def dequantized(model: Qwen3, weights: dict[str, mx.array]) -> dict[str, mx.array]:
    """The weights that a quantized model stands for, under the plain model's names."""
    for path, module in model.named_modules():  # type: ignore[no-untyped-call]
        if isinstance(module, Module) and "scales" in module:
            weights[f"{path}.weight"] = mx.dequantize(
                module["weight"],
                module["scales"],
                module.get("biases"),
                group_size=module.group_size,
                bits=module.bits,
                mode=module.mode,
            )
    return {
        name: value for name, value in weights.items() if not name.endswith((".scales", ".biases"))
    }


@pytest.mark.parametrize(("mode", "bits", "group_size"), KINDS)
@pytest.mark.parametrize("length", [3, 30])
def test_a_quantized_model_equals_the_plain_one_with_the_same_numbers(
    moe: Data,
    make_model: MakeModel,
    parameters: Parameters,
    distance: Distance,
    mode: str,
    bits: int,
    group_size: int,
    length: int,
) -> None:
    config = Qwen3Config.from_hf({**moe, "mlp_only_layers": [0], "intermediate_size": 128})
    model = make_model(config)
    quantize(model, group_size, bits, mode=mode, class_predicate=override_router)
    plain = Qwen3(config)
    plain.load_weights(list(dequantized(model, parameters(model)).items()))
    ids = mx.arange(length)[None]
    assert distance(model(ids), plain(ids)) < 1e-4


@pytest.mark.parametrize("dtype", [mx.float32, mx.float16, mx.bfloat16])
@pytest.mark.parametrize("mode", ["affine", "mxfp4", "mxfp8", "nvfp4"])
def test_a_quantized_model_computes_in_the_type_it_was_given(
    moe: Data, mode: str, dtype: mx.Dtype
) -> None:
    """MLX dequantizes a micro-scaled embedding to bfloat16 whatever the rest is."""
    model = Qwen3(Qwen3Config.from_hf(moe))
    model.set_dtype(dtype)
    quantize(model, mode=mode)
    cache = make_cache(model.config)
    assert model(mx.array([[1, 2]]), cache).dtype == dtype
    assert [layer.keys.dtype for layer in cache] == [dtype] * 3


def test_experts_stay_packed_in_memory(moe: Data, make_model: MakeModel) -> None:
    model = make_model(Qwen3Config.from_hf(moe))
    quantize(model, 64, 4, class_predicate=override_router)
    mlp = model.model.layers[1].mlp
    assert isinstance(mlp.gate, QuantizedLinear)
    assert (mlp.gate.bits, mlp.gate.group_size) == (8, 64)
    for expert in (mlp.switch_mlp.gate_proj, mlp.switch_mlp.up_proj, mlp.switch_mlp.down_proj):
        assert isinstance(expert, QuantizedSwitchLinear)
        assert expert.weight.dtype == mx.uint32
        assert expert.weight.shape == (16, 64, 64 * 4 // 32)
        assert expert.scales.shape == expert.biases.shape == (16, 64, 1)


def test_parameter_names_are_mlx_lms(moe: Data, parameters: Parameters) -> None:
    model = Qwen3(Qwen3Config.from_hf(moe))
    quantize(model, 32, 4, mode="mxfp4")
    names = {name for name in parameters(model) if ".layers.0.mlp." in name}
    assert names == {
        f"model.layers.0.mlp.{part}.{kind}"
        for part in ("gate", *(f"switch_mlp.{name}_proj" for name in ("gate", "up", "down")))
        for kind in ("weight", "scales")
    }


def test_a_kind_alone_means_its_default_bits_and_group() -> None:
    layer = SwitchLinear(64, 32, 4).to_quantized(mode="mxfp4")
    assert layer.scales.shape == (4, 32, 2)
    rows = mx.random.normal((3, 1, 64), key=mx.random.key(0))
    assert layer(rows, mx.array([0, 1, 3]), in_order=True).shape == (3, 1, 32)
