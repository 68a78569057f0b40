"""Whole conversions: the same numbers whatever the form of the source, and nothing half done."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.checkpoint.recorded import check_recorded, recorded_digests
from qwen3_mlx.convert import Progress, convert, plan
from qwen3_mlx.convert.card import CARD
from qwen3_mlx.convert.manifest import MANIFEST
from qwen3_mlx.convert.writer import ShardWriter
from qwen3_mlx.errors import (
    ConversionError,
    ModelFileError,
    ModelNotFoundError,
    NonFiniteError,
    UsageError,
)

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

WEIGHTS = "model.safetensors"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def weights(folder: Path) -> dict[str, bytes]:
    """All but what names the source."""
    return {n: data for n, data in contents(folder).items() if n not in (CARD, MANIFEST)}


def arrays_of(folder: Path) -> dict[str, mx.array]:
    arrays: dict[str, mx.array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        loaded = mx.load(str(path))
        assert isinstance(loaded, dict)
        arrays |= loaded
    return arrays


@pytest.fixture
def source(moe: Checkpoint, tmp_path: Path) -> Path:
    """A checkpoint with experts, in bfloat16, as Qwen publishes them."""
    return moe.save(tmp_path / "source")


@pytest.mark.parametrize("recipe", ["4bit", "bf16"])
@pytest.mark.parametrize(("form", "shards"), [("stacked", 1), ("pairs", 1), ("one by one", 3)])
def test_the_form_of_the_source_leaves_no_trace(
    moe: Checkpoint, source: Path, tmp_path: Path, recipe: str, form: str, shards: int
) -> None:
    other = moe.save(tmp_path / "other", form, shards)
    first = convert(source, tmp_path / "first", recipe)
    second = convert(other, tmp_path / "second", recipe)
    assert weights(first) == weights(second)


@pytest.mark.parametrize("dtype", [mx.bfloat16, mx.float16, mx.float32])
def test_rounded_weights_are_those_of_mlx_in_the_sources_dtype(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path, dtype: mx.Dtype
) -> None:
    checkpoint = make_checkpoint({}, dtype)
    written = arrays_of(convert(checkpoint.save(tmp_path / "source"), tmp_path / "out"))
    for name, array in checkpoint.arrays.items():
        path = name.removesuffix(".weight")
        if array.ndim == 1:
            expected = {name: array}
        else:
            bits = 8 if path.endswith("mlp.gate") else 4
            parts = ("weight", "scales", "biases")
            rounded = mx.quantize(array, group_size=64, bits=bits, stream=mx.cpu)
            expected = {f"{path}.{p}": numbers for p, numbers in zip(parts, rounded, strict=True)}
        for part, numbers in expected.items():
            assert written[part].dtype == numbers.dtype
            assert mx.array_equal(written.pop(part), numbers)
    assert written == {}


def test_chunks_and_shards_change_no_number(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = arrays_of(convert(source, tmp_path / "whole"))
    monkeypatch.setattr(plan, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(plan, "SHARD_BYTES", 50_000)
    folder = convert(source, tmp_path / "cut")
    cut = arrays_of(folder)
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    assert cut.keys() == whole.keys()
    assert all(mx.array_equal(cut[name], whole[name]) for name in whole)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in cut.values())
    load_checkpoint(folder)


def test_bf16_keeps_every_bit(source: Path, moe: Checkpoint, tmp_path: Path) -> None:
    written = arrays_of(convert(source, tmp_path / "out", "bf16"))
    assert written.keys() == moe.arrays.keys()
    assert all(mx.array_equal(written[name], moe.arrays[name]) for name in written)


def test_bf16_casts_other_dtypes(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({}, mx.float32)
    folder = convert(checkpoint.save(tmp_path / "source"), tmp_path / "out", "bf16")
    assert {array.dtype for array in arrays_of(folder).values()} == {mx.bfloat16}
    assert json.loads((folder / "config.json").read_text())["torch_dtype"] == "bfloat16"


@pytest.mark.parametrize(("recipe", "most"), [("bf16", 0.0), ("8bit", 0.01), ("4bit", 0.25)])
def test_the_model_still_says_the_same(
    source: Path, tmp_path: Path, recipe: str, most: float
) -> None:
    """Rounding is noise with a small part of the logits' energy: measured 0.1 % and 11 %."""
    ids = mx.arange(24).reshape(2, 12)
    before = load_checkpoint(source, dtype=mx.float32).model(ids)
    after = load_checkpoint(convert(source, tmp_path / "out", recipe), dtype=mx.float32).model(ids)
    noise = mx.square(before - after).sum() / mx.square(before).sum()
    assert noise <= most


def test_a_tied_head_is_left_out(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"tie_word_embeddings": True})
    checkpoint.arrays["lm_head.weight"] = checkpoint.arrays["model.embed_tokens.weight"]
    written = arrays_of(convert(checkpoint.save(tmp_path / "source"), tmp_path / "out"))
    assert not [name for name in written if name.startswith("lm_head")]


def test_group_size_32_everywhere(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"moe_intermediate_size": 32})
    folder = convert(checkpoint.save(tmp_path / "source"), tmp_path / "out", group_size=32)
    settings = json.loads((folder / "config.json").read_text())["quantization"]
    routers = {f"model.layers.{n}.mlp.gate" for n in range(2)}
    assert settings["group_size"] == 32
    assert {name for name in settings if name.startswith("model")} == routers
    load_checkpoint(folder)


def test_progress_ends_with_everything(source: Path, tmp_path: Path) -> None:
    seen: list[Progress] = []
    convert(source, tmp_path / "out", progress=seen.append)
    done = [state.done_bytes for state in seen]
    assert done == sorted(set(done))
    size = sum(array.nbytes for array in arrays_of(tmp_path / "out").values())
    assert done[-1] == seen[-1].total_bytes == size


def test_files_come_along(moe: Checkpoint, tmp_path: Path) -> None:
    moe.files |= {"chat_template.jinja": "{{ messages }}", "generation_config.json": '{"a": 1}'}
    folder = convert(moe.save(tmp_path / "source"), tmp_path / "out")
    for name, text in moe.files.items():
        assert (folder / name).read_text() == text
    made = {"config.json", WEIGHTS, f"{WEIGHTS}.index.json", "README.md", "conversion.json"}
    assert set(contents(folder)) == {*moe.files, *made}
    assert recorded_digests(folder).keys() == {*moe.files, *made} - {"README.md", "conversion.json"}
    check_recorded(folder)


def test_force_replaces_a_model(source: Path, tmp_path: Path) -> None:
    folder = convert(source, tmp_path / "out", "bf16")
    with pytest.raises(UsageError, match="exists"):
        convert(source, folder)
    convert(source, folder, force=True)
    assert json.loads((folder / "config.json").read_text())["quantization"]["bits"] == 4
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "source"]


def nothing_new(tmp_path: Path) -> bool:
    return [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_full_disk_leaves_nothing(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, calls = ShardWriter.append, iter(range(100))

    def fill_up(self: ShardWriter, name: str, rows: mx.array) -> None:
        if next(calls) == 20:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        append(self, name, rows)

    monkeypatch.setattr(ShardWriter, "append", fill_up)
    with pytest.raises(ConversionError, match=r"out could not be written: No space") as caught:
        convert(source, tmp_path / "out")
    assert "Free some space" in (caught.value.hint or "")
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("number", [float("nan"), float("-inf")])
def test_a_number_that_is_none_is_refused_by_name(
    moe: Checkpoint, tmp_path: Path, number: float
) -> None:
    name = "model.layers.1.mlp.switch_mlp.up_proj.weight"
    moe.arrays[name][5, 3, 2] = number
    with pytest.raises(NonFiniteError, match=r"layers\.1\.mlp\.experts\.5\.up_proj\.weight"):
        convert(moe.save(tmp_path / "source"), tmp_path / "out")
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("recipe", ["4bit", "bf16"])
def test_numbers_that_the_destination_cannot_hold_are_refused(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path, recipe: str
) -> None:
    """Finite in float32, but infinite as a scale (their distance) or in bfloat16."""
    checkpoint = make_checkpoint({}, mx.float32)
    checkpoint.arrays["lm_head.weight"][0, :2] = mx.array([3.4e38, -3.4e38])
    with pytest.raises(NonFiniteError, match=r"lm_head\.weight"):
        convert(checkpoint.save(tmp_path / "source"), tmp_path / "out", recipe)
    assert nothing_new(tmp_path)


@pytest.mark.parametrize("change", ["missing", "extra", "misshapen"])
def test_tensors_and_config_must_agree(moe: Checkpoint, tmp_path: Path, change: str) -> None:
    name = "model.layers.0.self_attn.q_proj.weight"
    if change == "missing":
        del moe.arrays[name]
    else:
        place = f"{name}.more" if change == "extra" else name
        moe.arrays[place] = mx.zeros((3, 128), mx.bfloat16)
    with pytest.raises(ModelFileError, match=r"self_attn\.q_proj"):
        convert(moe.save(tmp_path / "source"), tmp_path / "out")
    assert nothing_new(tmp_path)


def test_a_source_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError, match="nowhere"):
        convert(tmp_path / "nowhere", tmp_path / "out")


def test_a_destination_inside_the_source(source: Path) -> None:
    with pytest.raises(UsageError, match="inside the source"):
        convert(source, source / "out")
    assert not (source / "out").exists()


@pytest.mark.metal
def test_the_gpu_is_not_asked(source: Path, tmp_path: Path) -> None:
    """The bytes must not depend on which device is the default one."""
    on_gpu = convert(source, tmp_path / "gpu")
    default = mx.default_device()
    mx.set_default_device(mx.cpu)
    try:
        on_cpu = convert(source, tmp_path / "cpu")
    finally:
        mx.set_default_device(default)
    assert contents(on_gpu) == contents(on_cpu)
