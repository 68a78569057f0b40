"""mlx-lm rounds the same weights to the same bits, and reads what we wrote."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.convert import convert

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

KINDS: dict[str, dict[str, object]] = {
    "experts": {},
    "experts narrower than a group": {"moe_intermediate_size": 32},
    "tied": {"tie_word_embeddings": True},
    "dense": {"model_type": "qwen3"},
}


@pytest.fixture(scope="module")
def mlx_lm() -> ModuleType:
    """mlx-lm's loader; what it and transformers deprecate is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import mlx_lm.utils

        return mlx_lm.utils


@pytest.mark.parametrize("kind", ["experts", "tied", "dense"])
def test_the_same_bits_as_mlx_lms_converter(
    kind: str, make_checkpoint: Callable[..., Checkpoint], mlx_lm: ModuleType, tmp_path: Path
) -> None:
    source = make_checkpoint(KINDS[kind]).save(tmp_path / "source")
    model, config = mlx_lm.load_model(source)
    theirs, written = mlx_lm.quantize_model(model, config, 64, 4)
    ours = mx.load(str(convert(source, tmp_path / "out") / "model.safetensors"))
    assert isinstance(ours, dict)
    expected = tree_flatten(theirs.parameters(), destination={})
    assert isinstance(expected, dict)
    assert ours.keys() == expected.keys()
    for name, array in expected.items():
        assert ours[name].dtype == array.dtype
        assert mx.array_equal(ours[name], array)
    assert written["quantization"]["bits"] == 4


@pytest.mark.parametrize("recipe", ["4bit", "8bit", "bf16", "mxfp4", "mixed-4-6"])
@pytest.mark.parametrize("kind", KINDS)
def test_mlx_lm_gives_the_same_logits(
    kind: str,
    recipe: str,
    make_checkpoint: Callable[..., Checkpoint],
    mlx_lm: ModuleType,
    tmp_path: Path,
) -> None:
    source = make_checkpoint(KINDS[kind]).save(tmp_path / "source")
    folder = convert(source, tmp_path / "out", recipe)
    theirs, _ = mlx_lm.load_model(folder)
    theirs.set_dtype(mx.float32)
    ours = load_checkpoint(folder, dtype=mx.float32).model
    ids = mx.arange(40).reshape(2, 20)
    assert mx.all(mx.abs(theirs(ids) - ours(ids)) < 1e-4)
