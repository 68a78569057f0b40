"""What a conversion would come to, and that it comes to that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_mlx.checkpoint.reader import model_tensors
from qwen3_mlx.convert import convert, outlook

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint


def test_sizes_are_those_of_the_result(moe: Checkpoint, tmp_path: Path) -> None:
    source = moe.save(tmp_path / "source")
    found = outlook(source, "mixed-4-6")
    assert list(tmp_path.iterdir()) == [source]
    written = model_tensors(convert(source, tmp_path / "out", "mixed-4-6")).values()
    assert found.total_bytes == sum(info.nbytes for info in written)
    assert found.total_bytes == sum(kind.nbytes for kind in found.kinds)
    parameters = sum(array.size for array in moe.arrays.values())
    assert found.bits_per_weight == 8 * found.total_bytes / parameters


def test_kinds_count_tensors_of_one_shape_and_format(moe: Checkpoint, tmp_path: Path) -> None:
    found = {kind.name: kind for kind in outlook(moe.save(tmp_path / "source")).kinds}
    down = found["mlp.switch_mlp.down_proj"]
    assert (len(down.names), down.shape, down.format) == (2, (8, 128, 64), "4 bits by 64")
    assert down.nbytes == 2 * 8 * 128 * 64 * 45 // 80
    assert found["mlp.gate"].format == "8 bits by 64"
    assert found["model.norm"].format == "bfloat16"


def test_it_says_where_groups_become_smaller(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"moe_intermediate_size": 96})
    assert outlook(checkpoint.save(tmp_path / "source")).notes == (
        "mlp.switch_mlp.down_proj: groups of 64 do not divide rows of 96: 4 bits by 32 instead",
    )
    whole = make_checkpoint({"moe_intermediate_size": 48})
    assert outlook(whole.save(tmp_path / "whole")).notes == (
        "mlp.switch_mlp.down_proj: groups of 64 do not divide rows of 48: bfloat16 instead",
    )


def test_a_small_model_fits_everywhere(dense: Checkpoint, tmp_path: Path) -> None:
    assert outlook(dense.save(tmp_path / "source")).smallest_macs == {8192: 8, 32768: 8}
