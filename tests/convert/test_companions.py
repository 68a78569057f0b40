"""The config as mlx-lm wants it, and the files that come along."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.convert.companions import mlx_config, read_companions
from qwen3_mlx.convert.writer import to_json
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.model import Qwen3Config

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256}


def converted(raw: dict[str, object]) -> dict[str, object]:
    config = Qwen3Config.from_hf(raw)
    written = mlx_config(raw, config, dtype=mx.bfloat16, quantization=None)
    read: dict[str, object] = json.loads(to_json(written))
    return read


def test_new_names_become_old_ones(moe: Checkpoint) -> None:
    old = moe.config | {"rope_scaling": YARN, "rope_theta": 5e6}
    new = {name: value for name, value in old.items() if name not in ("rope_scaling", "rope_theta")}
    new["num_local_experts"] = new.pop("num_experts")
    new["dtype"] = new.pop("torch_dtype")
    new["rope_parameters"] = {**YARN, "rope_theta": 5e6}
    assert converted(new) == converted(old) == old


def test_default_rope_parameters_are_no_scaling(dense: Checkpoint) -> None:
    raw = dense.config | {"rope_parameters": {"rope_type": "default", "rope_theta": 1e6}}
    assert converted(raw) == dense.config


def test_what_was_left_out_is_spelled_out(moe: Checkpoint) -> None:
    for name in ("tie_word_embeddings", "mlp_only_layers", "decoder_sparse_step"):
        del moe.config[name]
    written = converted(moe.config)
    assert written["tie_word_embeddings"] is False
    assert written["mlp_only_layers"] == []
    assert written["decoder_sparse_step"] == 1


def test_names_of_code_and_of_places_are_left_out(dense: Checkpoint) -> None:
    raw = dense.config | {"auto_map": {"AutoModel": "x.py"}, "model_file": "x.py"}
    assert converted(raw | {"_name_or_path": "/home/ann/model", "kept": 1}) == {
        **dense.config,
        "kept": 1,
    }


def test_quantization_has_both_names(dense: Checkpoint) -> None:
    settings: dict[str, object] = {"bits": 4, "group_size": 64, "mode": "affine"}
    config = Qwen3Config.from_hf(dense.config)
    written = mlx_config(dense.config, config, dtype=mx.float16, quantization=settings)
    assert written["quantization"] == written["quantization_config"] == settings
    assert written["torch_dtype"] == "float16"


def test_files_that_belong_to_a_model_come_along(tmp_path: Path) -> None:
    for name in ("tokenizer.model", "chat_template.jinja", "LICENSE", "code.py", "notes.txt"):
        (tmp_path / name).write_text(name)
    assert read_companions(tmp_path) == {
        "tokenizer.model": b"tokenizer.model",
        "chat_template.jinja": b"chat_template.jinja",
        "LICENSE": b"LICENSE",
    }


def test_a_model_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer_config.json").write_text("{}")
    with pytest.raises(ModelFileError, match="no tokenizer") as caught:
        read_companions(tmp_path)
    assert caught.value.hint


@pytest.fixture
def link(tmp_path: Path) -> Callable[[str], Path]:
    """A model folder whose licence is a link to `target`."""

    def make(target: str) -> Path:
        folder = tmp_path / "source"
        folder.mkdir()
        (folder / "tokenizer.json").write_text("{}")
        (folder / "LICENSE").symlink_to(target)
        return folder

    return make


@pytest.mark.parametrize("target", ["../secret", "missing"])
def test_a_link_out_of_the_folder_is_not_followed(
    link: Callable[[str], Path], tmp_path: Path, target: str
) -> None:
    (tmp_path / "secret").write_text("secret")
    with pytest.raises(ModelFileError, match=r"LICENSE|missing"):
        read_companions(link(target))
