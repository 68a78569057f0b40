"""A checkpoint that is quantized already, as a source."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.convert import convert
from qwen3_mlx.convert.sources import Rows, open_source
from qwen3_mlx.errors import ModelFileError

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

UP = "model.layers.1.mlp.switch_mlp.up_proj"


def arrays_of(folder: Path) -> dict[str, mx.array]:
    arrays = mx.load(str(folder / "model.safetensors"))
    assert isinstance(arrays, dict)
    return arrays


@pytest.mark.parametrize("recipe", ["4bit", "8bit"])
def test_numbers_are_scale_times_code_plus_bias(
    moe: Checkpoint, tmp_path: Path, recipe: str
) -> None:
    """Codes taken out of their words, four or eight bits at a time from the lowest."""
    folder = convert(moe.save(tmp_path / "source"), tmp_path / "quantized", recipe)
    source, arrays, bits = open_source(folder), arrays_of(folder), int(recipe[0])
    shifts = mx.array(list(range(0, 32, bits)), mx.uint32)
    codes = (arrays[f"{UP}.weight"][..., None] >> shifts) & (2**bits - 1)
    parts = (arrays[f"{UP}.{part}"].astype(mx.float32) for part in ("scales", "biases"))
    scales, biases = (mx.repeat(part, 64, axis=-1) for part in parts)
    expected = (codes.reshape(scales.shape).astype(mx.float32) * scales + biases).reshape(512, 128)
    name = f"{UP}.weight"
    assert source.rows(name) == (Rows(name, 0, 512),)
    assert source.dtype(name) == mx.bfloat16
    assert mx.allclose(source.read(Rows(name, 0, 512)), expected, rtol=1e-6, atol=1e-7)
    assert mx.array_equal(source.read(Rows(name, 70, 200)), source.read(Rows(name, 0, 512))[70:200])


@pytest.mark.parametrize("recipe", ["4bit", "mxfp4"])
def test_it_converts_with_a_warning(moe: Checkpoint, tmp_path: Path, recipe: str) -> None:
    folder = convert(moe.save(tmp_path / "source"), tmp_path / "quantized", recipe)
    (warning,) = open_source(folder).warnings
    said: list[str] = []
    assert "rounded twice" in warning
    twice = convert(folder, tmp_path / "twice", "8bit", note=said.append)
    assert said == [warning]
    assert json.loads((twice / "conversion.json").read_text())["notes"] == [warning]
    assert f"- {warning}" in (twice / "README.md").read_text()
    whole = arrays_of(convert(folder, tmp_path / "whole", "bf16"))
    assert whole.keys() == moe.arrays.keys()
    again = convert(tmp_path / "whole", tmp_path / "again", recipe)
    assert arrays_of(again).keys() == arrays_of(folder).keys()


def test_whole_weights_have_no_warning(moe: Checkpoint, tmp_path: Path) -> None:
    assert open_source(moe.save(tmp_path / "source")).warnings == ()


@pytest.mark.parametrize(
    ("part", "array", "message"),
    [
        ("biases", None, rf"{UP}\.biases is missing"),
        ("scales", mx.ones((8, 64, 3)), rf"{UP}\.scales has the shape"),
    ],
)
def test_damaged_parts_are_refused(
    moe: Checkpoint, tmp_path: Path, part: str, array: mx.array | None, message: str
) -> None:
    folder = convert(moe.save(tmp_path / "source"), tmp_path / "quantized")
    (folder / "model.safetensors.index.json").unlink()
    arrays = arrays_of(folder)
    mx.eval(arrays)
    del arrays[f"{UP}.{part}"]
    if array is not None:
        arrays[f"{UP}.{part}"] = array
    mx.save_safetensors(str(folder / "model.safetensors"), arrays)
    with pytest.raises(ModelFileError, match=message):
        open_source(folder)
