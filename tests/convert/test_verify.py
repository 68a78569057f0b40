"""Damage is found, by name, whatever it is; what is sound passes, whoever made it."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.reader import read_header
from qwen3_mlx.convert import convert, verify, weights
from qwen3_mlx.convert.check import Check, check_tensor
from qwen3_mlx.convert.manifest import MANIFEST
from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.writer import ShardWriter
from qwen3_mlx.errors import ConversionError

if TYPE_CHECKING:
    from tests.convert.conftest import Arrays, Checkpoint

RECIPES = ("4bit", "8bit", "mxfp4", "bf16", "mixed-4-6")
UP = "model.layers.1.mlp.switch_mlp.up_proj"
QUERY = "model.layers.0.self_attn.q_proj"


@pytest.fixture
def source(moe: Checkpoint, tmp_path: Path) -> Path:
    return moe.save(tmp_path / "source")


@pytest.fixture(params=[True, False], ids=["with manifest", "without"])
def made(request: pytest.FixtureRequest, source: Path, tmp_path: Path) -> Path:
    """A sound conversion at 4 bits."""
    folder = convert(source, tmp_path / "out")
    if not request.param:
        (folder / MANIFEST).unlink()
    return folder


def rewrite(folder: Path, change: Callable[[Arrays], None]) -> None:
    """Change arrays in the weights' file."""
    path = folder / "model.safetensors"
    arrays = mx.load(str(path))
    assert isinstance(arrays, dict)
    mx.eval(arrays)
    change(arrays)
    mx.save_safetensors(str(path), arrays, {"format": "mlx"})


@pytest.mark.parametrize("recipe", RECIPES)
def test_what_we_made_is_exact(source: Path, tmp_path: Path, recipe: str) -> None:
    found = verify(source, convert(source, tmp_path / "out", recipe))
    assert all(check.exact for check in found.checks)
    assert max(check.worst for check in found.checks) <= 1


def test_errors_of_normal_numbers(source: Path, tmp_path: Path) -> None:
    """Sixteen levels over the range of 64 normal numbers (4.7 deviations): a step of 0.31.

    The error of a uniform step is a 3.46th of it, 9.1 %. At eight bits it is a 17th of that, and
    0.45 % come from biases that are bfloat16 between 2 and 4, where these are 1/64 apart.
    """
    four = {c.name: c for c in verify(source, convert(source, tmp_path / "4")).checks}
    eight = {c.name: c for c in verify(source, convert(source, tmp_path / "8", "8bit")).checks}
    assert four[f"{UP}.weight"].error == pytest.approx(0.091, rel=0.1)
    assert eight[f"{UP}.weight"].error == pytest.approx(math.hypot(0.091 / 17, 0.0045), rel=0.1)
    assert four["model.norm.weight"].error == 0


def swap_experts(arrays: Arrays) -> None:
    for part in ("weight", "scales", "biases"):
        tensor = arrays[f"{UP}.{part}"]
        order = mx.array([0, 2, 1, 3, 4, 5, 6, 7])
        arrays[f"{UP}.{part}"] = tensor[order]


def transpose(arrays: Arrays) -> None:
    """A square matrix: no shape gives it away."""
    weight, scales, biases = (arrays[f"{QUERY}.{part}"] for part in ("weight", "scales", "biases"))
    turned = mx.quantize(mx.dequantize(weight, scales, biases).T, stream=mx.cpu)
    for part, array in zip(("weight", "scales", "biases"), turned, strict=True):
        arrays[f"{QUERY}.{part}"] = array


def zero_a_scale(arrays: Arrays) -> None:
    arrays[f"{UP}.scales"][3, 7, 1] = 0.0


def swap_norms(arrays: Arrays) -> None:
    first, second = (f"model.layers.{n}.input_layernorm.weight" for n in range(2))
    arrays[first], arrays[second] = arrays[second], arrays[first]


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        (swap_experts, UP),
        (transpose, QUERY),
        (zero_a_scale, rf"{UP}\.weight .* in group 1 of row 199"),
        (swap_norms, "input_layernorm"),
    ],
)
def test_damage_is_found(
    source: Path, made: Path, damage: Callable[[Arrays], None], name: str
) -> None:
    """Row 7 of expert 3, of 64 rows each, is row 199."""
    rewrite(made, damage)
    with pytest.raises(ConversionError, match=name):
        verify(source, made)


@pytest.mark.parametrize("part", ["weight", "scales", "biases"])
def test_a_flipped_byte_is_found(source: Path, made: Path, part: str) -> None:
    path = made / "model.safetensors"
    place = read_header(path)[f"{UP}.{part}"].start + 5
    data = bytearray(path.read_bytes())
    data[place] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(ConversionError, match=UP):
        verify(source, made)


@pytest.mark.parametrize("bit", range(8))
def test_a_flipped_bit_is_found_in_what_we_made(source: Path, tmp_path: Path, bit: int) -> None:
    """Even where the format allows it: the file is not the one that was written."""
    path = convert(source, tmp_path / "out", "8bit") / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[read_header(path)[f"{UP}.weight"].start] ^= 1 << bit
    path.write_bytes(data)
    with pytest.raises(ConversionError, match=UP):
        verify(source, path.parent)


def test_a_folder_of_another_network(source: Path, made: Path) -> None:
    config = json.loads((made / "config.json").read_text())
    (made / "config.json").write_text(json.dumps(config | {"rope_theta": 5e5}))
    with pytest.raises(ConversionError, match="another network"):
        verify(source, made)


def test_a_conversion_that_goes_wrong_fails_by_name(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = ShardWriter.append

    def damaged(self: ShardWriter, name: str, rows: mx.array) -> None:
        append(self, name, rows * 0 if name == f"{UP}.scales" else rows)

    monkeypatch.setattr(ShardWriter, "append", damaged)
    with pytest.raises(ConversionError, match=UP):
        convert(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    convert(source, tmp_path / "out", verify=False)


def test_every_tensor_is_checked_on_the_way(
    source: Path, moe: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def noted(target: Target, *rest: object) -> Check:
        seen.append(target.name)
        return check_tensor(target, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(weights, "check_tensor", noted)
    convert(source, tmp_path / "out")
    assert sorted(seen) == sorted(moe.arrays)
    assert "each bit is what rounding" in (tmp_path / "out" / "README.md").read_text()
