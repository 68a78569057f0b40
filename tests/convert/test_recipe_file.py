"""Recipes in files: what a person writes is what is done, and what cannot be is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.checkpoint.quantization import QuantSpec
from qwen3_mlx.convert import convert
from qwen3_mlx.convert.recipe_file import choose_recipe
from qwen3_mlx.errors import UsageError

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

MINE = """
"*.mlp.gate" = { bits = 8, group_size = 32 }
"model.layers.-1.self_attn.?_proj" = false
"lm_head" = { mode = "mxfp8" }
"*" = { bits = 3 }
"""


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(MINE)
    return path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model.layers.1.mlp.gate", QuantSpec("affine", 8, 32)),
        ("model.layers.3.self_attn.q_proj", None),
        ("model.layers.2.self_attn.q_proj", QuantSpec("affine", 3, 64)),
        ("lm_head", QuantSpec("mxfp8", 8, 32)),
    ],
)
def test_the_first_pattern_that_matches_decides(
    mine: Path, path: str, expected: QuantSpec | None
) -> None:
    recipe = choose_recipe(mine)
    assert recipe.name == "mine"
    assert recipe.spec(path, 128, 4) == expected


def test_a_model_is_written_and_read_by_it(mine: Path, moe: Checkpoint, tmp_path: Path) -> None:
    folder = convert(moe.save(tmp_path / "source"), tmp_path / "out", str(mine))
    settings = json.loads((folder / "config.json").read_text())["quantization"]
    assert settings["bits"] == 3
    assert settings["lm_head"] == {"mode": "mxfp8", "bits": 8, "group_size": 32}
    assert settings["model.layers.1.self_attn.o_proj"] is False
    load_checkpoint(folder)


def test_only_a_part_may_be_quantized(moe: Checkpoint, tmp_path: Path) -> None:
    """What a config must call the default is then the one format that there is."""
    (tmp_path / "head.toml").write_text('"lm_head" = { bits = 6 }\n"*" = false\n')
    folder = convert(moe.save(tmp_path / "source"), tmp_path / "out", str(tmp_path / "head.toml"))
    settings = json.loads((folder / "config.json").read_text())["quantization"]
    assert (settings["bits"], settings["model.embed_tokens"]) == (6, False)
    assert "lm_head" not in settings
    load_checkpoint(folder)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "does not end with"),
        ('"*" = { bits = 4 }\n"lm_head" = false', "does not end with"),
        ('"*" = { bits = 7 }', "has the bits 7"),
        ('"*" = { bits = true }', "has the bits True"),
        ('"*" = { mode = "q4" }', "has the mode 'q4'"),
        ('"*" = { mode = "mxfp4", group_size = 64 }', "has the group_size 64"),
        ('"*" = { bit = 4 }', "is {'bit': 4}"),
        ('"*" = 4', "is 4"),
        ('"*" = ', "cannot be read"),
        ('"*" = ' + "[" * 10_000, "cannot be read"),
        ("# " + "x" * 2**20, "it is larger than 1 MiB"),
    ],
)
def test_what_a_recipe_cannot_say(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError, match=reason) as caught:
        choose_recipe(tmp_path / "bad.toml")
    assert "bad.toml" in caught.value.message


def test_a_recipe_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"none\.toml cannot be read"):
        choose_recipe(tmp_path / "none.toml")


def test_a_file_says_its_group_sizes_itself(mine: Path) -> None:
    with pytest.raises(UsageError, match="itself"):
        choose_recipe(mine, 32)
