"""Model folders that are wrong: each is refused before a module is built or a number read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint import load
from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError

if TYPE_CHECKING:
    from tests.checkpoint.conftest import Layouts, MakeWeights, WriteModel

Config = dict[str, object]
GATE = "model.layers.1.mlp.gate_proj.weight"


@pytest.fixture
def nothing_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails the test if a module is built or a number read."""

    def never(*_: object, **__: object) -> None:
        raise AssertionError("a refusal must come before this")

    monkeypatch.setattr(load, "Qwen3", never)
    monkeypatch.setattr(mx, "load", never)


@pytest.mark.usefixtures("nothing_is_built")
class TestRefusals:
    def refused(self, folder: Path, kind: type[ModelFileError] = ModelFileError) -> str:
        with pytest.raises(kind) as caught:
            load_checkpoint(folder)
        assert caught.value.exit_code == 5
        return caught.value.message

    def test_a_missing_tensor(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        weights = make_weights(dense)
        del weights[GATE]
        assert self.refused(write_model(dense, weights)) == f"the tensor {GATE} is missing"

    def test_a_missing_expert(
        self, moe: Config, make_weights: MakeWeights, write_model: WriteModel, layouts: Layouts
    ) -> None:
        weights = layouts["one by one"](make_weights(moe))
        name = "model.layers.0.mlp.experts.3.up_proj.weight"
        del weights[name]
        assert self.refused(write_model(moe, weights)) == f"the tensor {name} is missing"

    def test_an_extra_tensor(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        name = "model.layers.0.self_attn.q_proj.bias"
        folder = write_model(dense, make_weights(dense) | {name: mx.zeros((128,))})
        assert self.refused(folder) == (
            f"{folder}: the tensor {name!r} has no place in the model that config.json describes"
        )

    def test_experts_twice(
        self, moe: Config, make_weights: MakeWeights, write_model: WriteModel, layouts: Layouts
    ) -> None:
        weights = make_weights(moe)
        folder = write_model(moe, weights | layouts["one by one"](weights))
        assert "'model.layers.0.mlp.experts.0.down_proj.weight' has no place" in self.refused(
            folder
        )

    @pytest.mark.parametrize("shape", [(64, 128), (127, 64), (128, 64, 1), ()])
    def test_a_misshapen_tensor(
        self,
        dense: Config,
        make_weights: MakeWeights,
        write_model: WriteModel,
        shape: tuple[int, ...],
    ) -> None:
        folder = write_model(dense, make_weights(dense) | {GATE: mx.zeros(shape)})
        assert self.refused(folder) == (
            f"{folder.resolve() / 'model.safetensors'}: the tensor {GATE} has the shape "
            f"{list(shape)}, where config.json makes it [128, 64]"
        )

    @pytest.mark.parametrize("dtype", [mx.int32, mx.uint8])
    def test_a_tensor_of_another_type(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel, dtype: mx.Dtype
    ) -> None:
        weights = make_weights(dense)
        folder = write_model(dense, weights | {GATE: weights[GATE].astype(dtype)})
        assert "where config.json makes it F32 or F16 or BF16" in self.refused(folder)

    def test_ignored_tensors_are_checked_too(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        config = {**dense, "tie_word_embeddings": True}
        weights = make_weights(config)
        head = {"lm_head.weight": mx.zeros((48, 63))}
        folder = write_model(config, weights | head, name="head")
        assert "lm_head.weight has the shape [48, 63]" in self.refused(folder)
        frequencies = {"model.layers.0.self_attn.rotary_emb.inv_freq": mx.zeros((15,))}
        folder = write_model(config, weights | frequencies, name="rotary")
        assert "inv_freq has the shape [15]" in self.refused(folder)

    @pytest.mark.parametrize(
        ("field", "value", "tensor"),
        [
            ("num_hidden_layers", 1024, "model.layers.2."),
            ("vocab_size", 2**22, "model.embed_tokens.weight"),
            ("hidden_size", 2**17, "model.norm.weight"),
            ("head_dim", 1024, "model.layers.0.self_attn.q_norm.weight"),
            ("num_attention_heads", 1024, "model.layers.0.self_attn.q_proj.weight"),
            ("intermediate_size", 2**20, "model.layers.0.mlp.gate_proj.weight"),
        ],
    )
    def test_absurd_numbers_against_the_files(
        self,
        dense: Config,
        make_weights: MakeWeights,
        write_model: WriteModel,
        field: str,
        value: int,
        tensor: str,
    ) -> None:
        message = self.refused(write_model({**dense, field: value}, make_weights(dense)))
        assert f"the tensor {tensor}" in message

    def test_an_absurd_number_of_experts_and_layers(
        self, moe: Config, make_weights: MakeWeights, write_model: WriteModel, layouts: Layouts
    ) -> None:
        config = {**moe, "num_experts": 4096, "num_hidden_layers": 1024}
        message = self.refused(write_model(config, layouts["one by one"](make_weights(moe))))
        assert message == "the tensor model.layers.2.input_layernorm.weight is missing"

    @pytest.mark.parametrize("field", ["hidden_size", "num_hidden_layers", "vocab_size"])
    @pytest.mark.parametrize("value", [0, -1, 2**63, 1e9, "64", None, True])
    def test_numbers_that_no_model_has(
        self,
        dense: Config,
        make_weights: MakeWeights,
        write_model: WriteModel,
        field: str,
        value: object,
    ) -> None:
        folder = write_model({**dense, field: value}, make_weights(dense))
        assert f"config.json: {field}" in self.refused(folder)

    def test_another_architecture(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        folder = write_model({**dense, "model_type": "llama"}, make_weights(dense))
        message = self.refused(folder, UnsupportedModelError)
        assert message == "config.json: model_type = 'llama' is not supported"

    def test_no_config(self, tmp_path: Path) -> None:
        assert self.refused(tmp_path) == f"{tmp_path / 'config.json'} is missing"

    def test_a_config_outside_the_folder(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        folder = write_model(dense, make_weights(dense))
        (folder / "config.json").rename(folder.parent / "config.json")
        (folder / "config.json").symlink_to("../config.json")
        assert "outside the model's folder" in self.refused(folder)

    def test_a_pickle(self, dense: Config, write_model: WriteModel) -> None:
        folder = write_model(dense, {"x": mx.zeros(1)})
        (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
        assert "only a pickle, which can run code and is never read" in self.refused(folder)
