"""What becomes of each tensor, without reading any."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.convert import plan as plan_module
from qwen3_mlx.convert.plan import Plan, Target, make_plan, share_out
from qwen3_mlx.convert.recipes import find_recipe
from qwen3_mlx.convert.sources import Rows, open_source
from qwen3_mlx.errors import ModelFileError, UsageError

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

LAYER = "model.layers.1"


def plan_of(folder: Path, recipe: str = "4bit", group_size: int | None = None) -> Plan:
    return make_plan(open_source(folder), find_recipe(recipe, group_size))


def target(plan: Plan, name: str) -> Target:
    return next(target for target in plan.targets if target.name == name)


def test_experts_are_stacked_in_their_order(moe: Checkpoint, tmp_path: Path) -> None:
    plan = plan_of(moe.save(tmp_path / "source"))
    stacked = target(plan, f"{LAYER}.mlp.switch_mlp.down_proj.weight")
    assert stacked.shape == (8, 128, 64)
    assert stacked.parts == tuple(
        Rows(f"{LAYER}.mlp.experts.{expert}.down_proj.weight", 0, 128) for expert in range(8)
    )


def test_a_pair_gives_the_gate_its_first_half(moe: Checkpoint, tmp_path: Path) -> None:
    """Each expert has 64 rows of the gate, then 64 of up."""
    plan = plan_of(moe.save(tmp_path / "source", "pairs"))
    pair = f"{LAYER}.mlp.experts.gate_up_proj"
    gate = target(plan, f"{LAYER}.mlp.switch_mlp.gate_proj.weight")
    up = target(plan, f"{LAYER}.mlp.switch_mlp.up_proj.weight")
    assert gate.parts[:2] == (Rows(pair, 0, 64), Rows(pair, 128, 192))
    assert up.parts[:2] == (Rows(pair, 64, 128), Rows(pair, 192, 256))
    assert len(gate.parts) == len(up.parts) == 8


@pytest.mark.parametrize(
    ("recipe", "group_size", "path", "width", "expected"),
    [
        ("4bit", None, "lm_head", 128, QuantSpec("affine", 4, 64)),
        ("8bit", None, "lm_head", 128, QuantSpec("affine", 8, 64)),
        ("4bit", 32, "lm_head", 128, QuantSpec("affine", 4, 32)),
        ("4bit", 128, "lm_head", 192, QuantSpec("affine", 4, 64)),
        ("4bit", None, "model.layers.0.mlp.down_proj", 96, QuantSpec("affine", 4, 32)),
        ("4bit", None, "model.layers.0.mlp.down_proj", 48, None),
        ("4bit", None, "model.layers.0.mlp.gate", 128, QuantSpec("affine", 8, 64)),
        ("4bit", None, "model.layers.0.mlp.gate_proj", 128, QuantSpec("affine", 4, 64)),
        ("bf16", None, "lm_head", 128, None),
        ("mxfp4", None, "lm_head", 96, QuantSpec("mxfp4", 4, 32)),
        ("mxfp4", None, "lm_head", 80, None),
        ("mxfp4", None, "model.layers.0.mlp.gate", 128, QuantSpec("affine", 8, 64)),
        ("mixed-4-6", None, "lm_head", 128, QuantSpec("affine", 6, 64)),
        ("mixed-4-6", 32, "model.embed_tokens", 128, QuantSpec("affine", 6, 32)),
        ("mixed-4-6", None, "model.layers.1.self_attn.q_proj", 128, QuantSpec("affine", 6, 64)),
        ("mixed-4-6", None, "model.layers.0.mlp.up_proj", 128, QuantSpec("affine", 6, 64)),
        ("mixed-4-6", None, "model.layers.1.mlp.up_proj", 128, QuantSpec("affine", 4, 64)),
        ("mixed-4-8", None, "model.layers.3.mlp.up_proj", 128, QuantSpec("affine", 8, 64)),
        ("mixed-4-8", None, "model.layers.2.mlp.up_proj", 128, QuantSpec("affine", 4, 64)),
        ("mixed-4-8", None, "model.layers.2.mlp.gate", 128, QuantSpec("affine", 8, 64)),
    ],
)
def test_bits_and_groups(
    recipe: str, group_size: int | None, path: str, width: int, expected: QuantSpec | None
) -> None:
    assert find_recipe(recipe, group_size).spec(path, width, 4) == expected


@pytest.mark.parametrize(
    ("recipe", "group_size"), [("3bit", None), ("4bit", 16), ("4bit", 0), ("mxfp4", 64)]
)
def test_a_recipe_that_is_none(recipe: str, group_size: int | None) -> None:
    with pytest.raises(UsageError, match=r"recipe|group size"):
        find_recipe(recipe, group_size)


def test_the_config_names_what_differs(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    """Layer 0 is dense with a width that 64 does not divide; 48 has no group at all."""
    changes = {"intermediate_size": 96, "mlp_only_layers": [0], "moe_intermediate_size": 48}
    plan = plan_of(make_checkpoint(changes).save(tmp_path / "source"))
    assert plan.quantization == {
        "mode": "affine",
        "bits": 4,
        "group_size": 64,
        "model.layers.0.mlp.down_proj": {"mode": "affine", "bits": 4, "group_size": 32},
        f"{LAYER}.mlp.gate": {"mode": "affine", "bits": 8, "group_size": 64},
        f"{LAYER}.mlp.switch_mlp.down_proj": False,
    }


def test_a_whole_model_has_no_quantization(dense: Checkpoint, tmp_path: Path) -> None:
    assert plan_of(dense.save(tmp_path / "source"), "bf16").quantization is None


def test_sizes(dense: Checkpoint, tmp_path: Path) -> None:
    """A head of 96 rows of 128: 4.5 bits a weight, in groups of 64 with two bfloat16 each."""
    plan = plan_of(dense.save(tmp_path / "source"))
    assert target(plan, "lm_head.weight").nbytes == 96 * 128 * 45 // 80
    parameters = sum(array.size for array in dense.arrays.values())
    index = plan.index()
    assert index["metadata"] == {
        "total_parameters": parameters,
        "total_size": sum(target.nbytes for target in plan.targets),
    }


def whole(name: str, rows: int) -> Target:
    return Target(name, (rows, 4), mx.float32, (Rows(name, 0, rows),), None)


def test_shards_hold_at_most_the_limit_and_at_least_one_tensor() -> None:
    """Rows of 16 bytes and a limit of 64."""
    shards = share_out([whole("a", 2), whole("b", 2), whole("c", 1), whole("d", 9)], 64)
    assert [(shard.name, [t.name for t in shard.targets]) for shard in shards] == [
        ("model-00001-of-00003.safetensors", ["a", "b"]),
        ("model-00002-of-00003.safetensors", ["c"]),
        ("model-00003-of-00003.safetensors", ["d"]),
    ]
    assert [shard.name for shard in share_out([whole("a", 9)], 64)] == ["model.safetensors"]


def test_long_parts_are_read_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "CHUNK_BYTES", 40)
    assert list(whole("a", 5).chunks()) == [Rows("a", 0, 2), Rows("a", 2, 4), Rows("a", 4, 5)]


def test_experts_of_two_dtypes_are_refused(moe: Checkpoint, tmp_path: Path) -> None:
    folder = moe.save(tmp_path / "source")
    arrays = mx.load(str(folder / "model.safetensors"))
    assert isinstance(arrays, dict)
    name = f"{LAYER}.mlp.experts.3.up_proj.weight"
    arrays[name] = arrays[name].astype(mx.float32)
    mx.save_safetensors(str(folder / "model.safetensors"), arrays)
    with pytest.raises(ModelFileError, match=r"experts\.3\.up_proj.*different dtypes"):
        plan_of(folder)
