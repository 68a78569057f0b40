"""Qwen's FP8: codes times scales, and what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.convert import convert
from qwen3_mlx.convert.sources import Rows, open_source
from qwen3_mlx.convert.sources.fp8 import from_e4m3
from qwen3_mlx.errors import ModelFileError, NonFiniteError

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

SETTINGS = {
    "quant_method": "fp8",
    "fmt": "e4m3",
    "activation_scheme": "dynamic",
    "weight_block_size": [128, 128],
}
EXPERT = "model.layers.0.mlp.experts.3.up_proj.weight"


def e4m3(code: int) -> float:
    """The published definition: sign, 4 bits of exponent biased by 7, 3 of fraction."""
    sign = -1.0 if code & 0x80 else 1.0
    exponent, fraction = (code >> 3) & 15, code & 7
    if exponent == 15 and fraction == 7:
        return math.nan
    if exponent == 0:
        return sign * 2.0**-6 * (fraction / 8)
    return float(sign * 2.0 ** (exponent - 7) * (1 + fraction / 8))


def test_every_code() -> None:
    """0x7e is the largest, 448; 0x01 the smallest, 2^-9; 0x7f and 0xff are NaN."""
    decoded = from_e4m3(mx.arange(256).astype(mx.uint8))
    # MLX gives its buffer to whoever asks; its type stubs leave that out.
    numbers = memoryview(decoded).tolist()  # type: ignore[arg-type]
    assert numbers[0x7E] == 448
    assert numbers[0x01] == 2**-9
    assert [code for code, number in enumerate(numbers) if math.isnan(number)] == [0x7F, 0xFF]
    assert all(number == e4m3(code) for code, number in enumerate(numbers) if number == number)


@dataclass
class Fp8Model:
    """A model in FP8 to be: its files' arrays, and the numbers they stand for, one by one."""

    config: dict[str, object]
    arrays: dict[str, mx.array]
    numbers: dict[str, mx.array]

    def save(self, folder: Path) -> Path:
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(self.config), "utf-8")
        (folder / "tokenizer.json").write_text("{}", "utf-8")
        path = folder / "model.safetensors"
        mx.save_safetensors(str(path), self.arrays, {"format": "pt"})
        rename_bytes(path)
        return folder


def rename_bytes(path: Path) -> None:
    """Call every U8 in a file F8_E4M3: MLX cannot write such tensors."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    text = data[8 : 8 + length].replace(b'"U8"', b'"F8_E4M3"')
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def fp8_model(checkpoint: Checkpoint, form: str, scale_dtype: mx.Dtype) -> Fp8Model:
    """Random codes and scales in place of the checkpoint's matrices in layers."""
    arrays, numbers = checkpoint.stored(form), {}
    for seed, name in enumerate(sorted(name for name in arrays if "_proj" in name)):
        *stack, height, width = arrays[name].shape
        key = mx.random.key(seed)
        codes = mx.random.randint(0, 127, (*stack, height, width), key=key).astype(mx.uint8)
        blocks = (*stack, math.ceil(height / 128), math.ceil(width / 128))
        scales = mx.random.uniform(1e-4, 1e-3, blocks, key=key).astype(scale_dtype)
        spread = mx.repeat(mx.repeat(scales.astype(mx.float32), 128, -2), 128, -1)
        numbers[name] = from_e4m3(codes) * spread[..., :height, :width]
        arrays |= {name: codes, f"{name}_scale_inv": scales}
    return Fp8Model(checkpoint.config, arrays, numbers)


@pytest.fixture
def make_fp8(make_checkpoint: Callable[..., Checkpoint]) -> Callable[..., Fp8Model]:
    """Builds models with experts of 160 by 192: blocks that are cut at both edges."""
    sizes = {"hidden_size": 192, "moe_intermediate_size": 160}
    checkpoint = make_checkpoint(sizes | {"quantization_config": SETTINGS})

    def make(form: str = "one by one", scale_dtype: mx.Dtype = mx.bfloat16) -> Fp8Model:
        return fp8_model(checkpoint, form, scale_dtype)

    return make


@pytest.mark.parametrize("scale_dtype", [mx.bfloat16, mx.float32])
@pytest.mark.parametrize("form", ["one by one", "pairs"])
def test_numbers_are_codes_times_scales(
    make_fp8: Callable[..., Fp8Model], tmp_path: Path, scale_dtype: mx.Dtype, form: str
) -> None:
    model = make_fp8(form, scale_dtype)
    source = open_source(model.save(tmp_path / "source"))
    for name, expected in model.numbers.items():
        rows = expected.reshape(-1, expected.shape[-1])
        start, stop = len(rows) // 3, len(rows) - 5
        assert mx.array_equal(source.read(Rows(name, 0, len(rows))), rows)
        assert mx.array_equal(source.read(Rows(name, start, stop)), rows[start:stop])
        assert source.dtype(name) == mx.bfloat16


def test_an_fp8_model_converts_and_runs(make_fp8: Callable[..., Fp8Model], tmp_path: Path) -> None:
    model = make_fp8()
    folder = model.save(tmp_path / "source")
    whole = convert(folder, tmp_path / "whole", "bf16")
    assert "quantization_config" not in load_checkpoint(whole).raw_config
    up = arrays_of(whole)["model.layers.0.mlp.switch_mlp.up_proj.weight"][3]
    assert mx.array_equal(up, model.numbers[EXPERT].astype(mx.bfloat16))
    scales = arrays_of(convert(folder, tmp_path / "rounded"))["model.layers.1.mlp.gate.scales"]
    assert scales.dtype == mx.bfloat16


def arrays_of(folder: Path) -> dict[str, mx.array]:
    arrays = mx.load(str(folder / "model.safetensors"))
    assert isinstance(arrays, dict)
    return arrays


def test_missing_scales_are_refused(make_fp8: Callable[..., Fp8Model], tmp_path: Path) -> None:
    model = make_fp8()
    del model.arrays[f"{EXPERT}_scale_inv"]
    with pytest.raises(ModelFileError, match=rf"model\.safetensors.*{EXPERT}.*are missing"):
        convert(model.save(tmp_path / "source"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_scales_of_another_shape_are_refused(
    make_fp8: Callable[..., Fp8Model], tmp_path: Path
) -> None:
    model = make_fp8()
    model.arrays[f"{EXPERT}_scale_inv"] = mx.ones((1, 2))
    with pytest.raises(ModelFileError, match=rf"{EXPERT}_scale_inv has the shape \[1, 2\]"):
        open_source(model.save(tmp_path / "source"))


def test_a_vector_is_refused(make_fp8: Callable[..., Fp8Model], tmp_path: Path) -> None:
    model = make_fp8()
    model.arrays["model.norm.weight"] = mx.zeros((192,), mx.uint8)
    model.arrays["model.norm.weight_scale_inv"] = mx.ones((1, 2))
    with pytest.raises(ModelFileError, match=r"model\.norm\.weight is in FP8 and no matrix"):
        open_source(model.save(tmp_path / "source"))


def test_a_code_that_is_no_number_is_refused(
    make_fp8: Callable[..., Fp8Model], tmp_path: Path
) -> None:
    model = make_fp8()
    model.arrays[EXPERT] = mx.full((160, 192), 0x7F, mx.uint8)
    with pytest.raises(NonFiniteError, match=r"experts\.3\.up_proj"):
        convert(model.save(tmp_path / "source"), tmp_path / "out")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, r"has the dtype F8_E4M3"),
        (SETTINGS | {"fmt": "e5m2"}, r"fmt = 'e5m2'"),
        (SETTINGS | {"weight_block_size": [64, 64]}, r"\[64, 64\]"),
        (SETTINGS | {"weight_block_size": None}, "weight_block_size"),
        (SETTINGS | {"quant_method": "aqlm"}, r"quant_method = 'aqlm'"),
    ],
)
def test_other_fp8_is_refused(
    make_fp8: Callable[..., Fp8Model], tmp_path: Path, settings: dict[str, object], message: str
) -> None:
    model = make_fp8()
    model.config["quantization_config"] = settings
    with pytest.raises(ModelFileError, match=message) as caught:
        open_source(model.save(tmp_path / "source"))
    assert caught.value.exit_code == 5
