"""What config.json says about quantization, in mlx-lm's words."""

from __future__ import annotations

import pytest

from qwen3_mlx.checkpoint.quantization import Mode, Quantization, QuantSpec
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError


def read(**values: object) -> Quantization:
    found = Quantization.from_hf({"quantization": values})
    assert found is not None
    return found


@pytest.mark.parametrize(
    "config",
    [{}, {"quantization": None}, {"quantization": {}, "quantization_config": None}],
)
def test_a_whole_checkpoint(config: dict[str, object]) -> None:
    assert Quantization.from_hf(config) is None


@pytest.mark.parametrize("bits", [2, 3, 4, 5, 6, 8])
@pytest.mark.parametrize("group_size", [32, 64, 128])
def test_affine(bits: int, group_size: int) -> None:
    found = read(bits=bits, group_size=group_size)
    assert found == Quantization(QuantSpec("affine", bits, group_size))


@pytest.mark.parametrize(
    ("mode", "bits", "group_size"), [("mxfp4", 4, 32), ("mxfp8", 8, 32), ("nvfp4", 4, 16)]
)
def test_modes_with_one_size_which_may_be_left_out(mode: Mode, bits: int, group_size: int) -> None:
    wanted = Quantization(QuantSpec(mode, bits, group_size))
    assert read(mode=mode, bits=bits, group_size=group_size) == wanted
    assert read(mode=mode) == wanted


def test_overrides() -> None:
    found = read(
        mode="mxfp4",
        bits=4,
        group_size=32,
        **{
            "model.layers.0.mlp.gate": {"group_size": 64, "bits": 8},
            "model.layers.0.self_attn.q_proj": {"mode": "mxfp8"},
            "model.layers.0.self_attn.k_proj": True,
            "lm_head": False,
        },
    )
    assert found.overrides == {
        # Left out, the mode is affine, as to_quantized's own default: so mlx-lm loads it.
        "model.layers.0.mlp.gate": QuantSpec("affine", 8, 64),
        "model.layers.0.self_attn.q_proj": QuantSpec("mxfp8", 8, 32),
        "model.layers.0.self_attn.k_proj": QuantSpec("mxfp4", 4, 32),
        "lm_head": None,
    }


def test_which_modules_are_quantized() -> None:
    found = read(bits=4, group_size=64, named={"bits": 8, "group_size": 32}, left=False)
    assert found.spec("named", has_scales=False) == QuantSpec("affine", 8, 32)
    assert found.spec("left", has_scales=True) is None
    assert found.spec("other", has_scales=True) == QuantSpec("affine", 4, 64)
    assert found.spec("other", has_scales=False) is None


def test_quantization_comes_before_quantization_config() -> None:
    mlx, other = {"bits": 4, "group_size": 64}, {"quant_method": "awq"}
    config = {"quantization": mlx, "quantization_config": other}
    assert Quantization.from_hf(config) == Quantization(QuantSpec("affine", 4, 64))
    assert Quantization.from_hf({"quantization_config": mlx}) == Quantization.from_hf(config)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"bits": 7}, "config.json: quantization: bits = 7 is not supported"),
        ({"bits": 1}, "config.json: quantization: bits = 1 is not supported"),
        ({"group_size": 16}, "quantization: group_size = 16 is not supported"),
        ({"mode": "mxfp4", "group_size": 64}, "group_size = 64 is not supported"),
        ({"mode": "fp3"}, "mode = 'fp3' is not supported"),
        ({"quant_method": "fp8"}, "quant_method = 'fp8' is not supported"),
        ({"act_bits": 8}, "act_bits = 8 is not supported"),
        ({"lm_head": "8bit"}, "lm_head = '8bit' is not supported"),
        ({"lm_head": {"bits": 9}}, "quantization: lm_head: bits = 9 is not supported"),
        ({"lm_head": {"global_scale": True}}, "global_scale = True is not supported"),
    ],
)
def test_what_is_not_implemented_is_refused_by_name(
    values: dict[str, object], message: str
) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        read(**values)
    assert message in caught.value.message


def test_quantized_activations_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="quantize_activations = True is not supported"):
        Quantization.from_hf({"quantize_activations": True})


@pytest.mark.parametrize(
    ("quantization", "message"),
    [
        ("4bit", "quantization = '4bit' must be an object"),
        ({"bits": "4"}, "bits = '4' must be a whole number"),
        ({"bits": -4}, "bits = -4 must be from 0"),
        ({"mode": 4}, "mode = 4 must be a string"),
        ({str(n): True for n in range(10_001)}, "quantization names 10001 modules"),
    ],
)
def test_damaged_values(quantization: object, message: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        Quantization.from_hf({"quantization": quantization})
    assert message in caught.value.message
