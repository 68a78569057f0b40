"""Quantized checkpoints as mlx-lm writes them: the same numbers and logits here as there.

Numbers are equal to the last bit. Logits are so up to float32 rounding, since our network rotates
and routes in another order of operations.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from qwen3_mlx.checkpoint.load import load_checkpoint, open_checkpoint
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.model import Qwen3, Qwen3Config

if TYPE_CHECKING:
    from tests.checkpoint.conftest import MakeWeights, Weights, WriteModel

Config = dict[str, object]
IDS = mx.array([[1, 5, 9, 2, 47], [3, 3, 0, 11, 30]])
SPECS: list[dict[str, object]] = [
    {"mode": "affine", "bits": 4, "group_size": 64},
    {"mode": "affine", "bits": 2, "group_size": 64},
    {"mode": "affine", "bits": 3, "group_size": 64},
    {"mode": "affine", "bits": 5, "group_size": 64},
    {"mode": "affine", "bits": 6, "group_size": 64},
    {"mode": "affine", "bits": 8, "group_size": 64},
    {"mode": "affine", "bits": 4, "group_size": 32},
    {"mode": "mxfp4", "bits": 4, "group_size": 32},
    {"mode": "mxfp8", "bits": 8, "group_size": 32},
    {"mode": "nvfp4", "bits": 4, "group_size": 16},
]

AFFINE = SPECS[0]


def name_of(spec: dict[str, object]) -> str:
    return "-".join(map(str, spec.values()))


def quantized(
    config: Config,
    weights: Weights,
    spec: dict[str, object],
    overrides: dict[str, Any] | None = None,
) -> Weights:
    """Parameters of the model, rounded as mlx-lm rounds them and with its names, in bfloat16."""
    model = Qwen3(Qwen3Config.from_hf(config))
    model.load_weights([(name, array.astype(mx.bfloat16)) for name, array in weights.items()])

    def choose(path: str, module: object) -> Any:
        default = spec if hasattr(module, "to_quantized") else False
        return (overrides or {}).get(path, default)

    quantize(model, class_predicate=choose)
    return flat(model)


@pytest.mark.parametrize("kind", ["dense", "moe"])
@pytest.mark.parametrize("spec", SPECS, ids=name_of)
def test_every_mode_gives_the_logits_of_mlx_lm(
    kind: str,
    spec: dict[str, object],
    request: pytest.FixtureRequest,
    make_weights: MakeWeights,
    write_model: WriteModel,
) -> None:
    config: Config = request.getfixturevalue(kind)
    router = {"model.layers.1.mlp.gate": {"group_size": 64, "bits": 8}} if kind == "moe" else {}
    overrides: dict[str, Any] = {**router, "model.layers.0.self_attn.v_proj": False}
    weights = quantized(config, make_weights(config), spec, overrides)
    folder = write_model({**config, "quantization": {**spec, **overrides}}, weights)
    assert_same_model(folder)


def assert_same_model(folder: Path) -> None:
    """What we load from a folder is what mlx-lm loads, computing in float32."""
    from mlx_lm.utils import load_model

    ours = load_checkpoint(folder, dtype=mx.float32).model
    theirs, _ = load_model(folder)
    theirs.set_dtype(mx.float32)
    expected, found = dict(tree_flatten(theirs.parameters())), flat(ours)
    assert found.keys() == expected.keys()
    assert all(mx.array_equal(found[name], expected[name]) for name in found)
    assert all(found[name].dtype == expected[name].dtype for name in found)
    assert mx.allclose(ours(IDS), theirs(IDS), rtol=0, atol=1e-5)


def flat(model: Qwen3) -> Weights:
    return dict(tree_flatten(model.parameters()))  # type: ignore[no-untyped-call]


def test_a_tied_model(dense: Config, make_weights: MakeWeights, write_model: WriteModel) -> None:
    config = {**dense, "tie_word_embeddings": True}
    spec = AFFINE
    weights = quantized(config, make_weights(config), spec)
    folder = write_model({**config, "quantization": spec}, weights)
    assert_same_model(folder)


class TestWhatIsCast:
    @pytest.mark.parametrize("spec", [AFFINE, *SPECS[-3:]], ids=name_of)
    def test_scales_and_biases_are_cast_and_packed_numbers_are_not(
        self,
        moe: Config,
        make_weights: MakeWeights,
        write_model: WriteModel,
        spec: dict[str, object],
    ) -> None:
        weights = quantized(moe, make_weights(moe), spec)
        checkpoint = open_checkpoint(write_model({**moe, "quantization": spec}, weights))
        model = checkpoint.load(dtype=mx.float32).model
        found = flat(model)
        assert checkpoint.nbytes(mx.float32) == sum(array.nbytes for array in found.values())
        for name, array in found.items():
            half = weights[name].dtype == mx.bfloat16
            assert array.dtype == (mx.float32 if half else weights[name].dtype)

    def test_experts_stay_quantized(
        self, moe: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        weights = quantized(moe, make_weights(moe), AFFINE)
        model = load_checkpoint(write_model({**moe, "quantization": AFFINE}, weights)).model
        experts = model.model.layers[0].mlp.switch_mlp.gate_proj
        assert (experts.weight.dtype, experts.weight.shape) == (mx.uint32, (4, 64, 8))


class TestRefusals:
    SPEC: dict[str, object] = AFFINE
    PATH = "model.layers.0.self_attn.q_proj"

    def refused(self, folder: Path) -> str:
        with pytest.raises(ModelFileError) as caught:
            open_checkpoint(folder)
        return caught.value.message

    @pytest.fixture
    def weights(self, dense: Config, make_weights: MakeWeights) -> Weights:
        return quantized(dense, make_weights(dense), self.SPEC)

    @pytest.mark.parametrize(
        ("part", "array", "message"),
        [
            ("weight", mx.zeros((128, 9), mx.uint32), "[128, 9], where config.json makes it [128,"),
            ("weight", mx.zeros((128, 8)), "the dtype F32, where config.json makes it U32"),
            ("scales", mx.zeros((128, 2)), "[128, 2], where config.json makes it [128, 1]"),
            ("scales", mx.zeros((128, 1), mx.uint8), "the dtype U8, where config.json makes it F"),
            ("biases", mx.zeros((127, 1)), "[127, 1], where config.json makes it [128, 1]"),
            ("biases", mx.zeros((128, 1), mx.int32), "the dtype I32"),
        ],
    )
    def test_parts_of_the_wrong_shape_or_type(
        self,
        dense: Config,
        weights: Weights,
        write_model: WriteModel,
        part: str,
        array: mx.array,
        message: str,
    ) -> None:
        weights[f"{self.PATH}.{part}"] = array
        found = self.refused(write_model({**dense, "quantization": self.SPEC}, weights))
        assert f"the tensor {self.PATH}.{part} has the" in found
        assert message in found

    @pytest.mark.parametrize("part", ["weight", "biases"])
    def test_a_missing_part(
        self, dense: Config, weights: Weights, write_model: WriteModel, part: str
    ) -> None:
        del weights[f"{self.PATH}.{part}"]
        found = self.refused(write_model({**dense, "quantization": self.SPEC}, weights))
        assert found == f"the tensor {self.PATH}.{part} is missing"

    def test_missing_scales(self, dense: Config, weights: Weights, write_model: WriteModel) -> None:
        del weights[f"{self.PATH}.scales"]
        found = self.refused(write_model({**dense, "quantization": self.SPEC}, weights))
        assert f"the tensor {self.PATH}.weight has the shape [128, 8]" in found

    def test_biases_that_the_mode_has_not(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        spec = SPECS[-3]
        weights = quantized(dense, make_weights(dense), spec)
        weights[f"{self.PATH}.biases"] = mx.zeros((128, 2))
        found = self.refused(write_model({**dense, "quantization": spec}, weights))
        assert f"the tensor '{self.PATH}.biases' has no place" in found

    def test_a_quantized_model_whose_config_does_not_say_so(
        self, dense: Config, weights: Weights, write_model: WriteModel
    ) -> None:
        found = self.refused(write_model(dense, weights))
        assert "the tensor model.embed_tokens.weight has the shape [48, 8]" in found

    def test_an_override_that_the_files_deny(
        self, dense: Config, weights: Weights, write_model: WriteModel
    ) -> None:
        said = {**self.SPEC, self.PATH: {"bits": 8, "group_size": 64}}
        found = self.refused(write_model({**dense, "quantization": said}, weights))
        assert (
            f"{self.PATH}.weight has the shape [128, 8], where config.json makes it [128, 16]"
            in (found)
        )

    def test_rows_that_do_not_divide_into_groups(
        self, dense: Config, weights: Weights, write_model: WriteModel
    ) -> None:
        said = {"bits": 4, "group_size": 128}
        found = self.refused(write_model({**dense, "quantization": said}, weights))
        assert found == (
            "config.json: quantization: model.embed_tokens has rows of 64 numbers, "
            "which groups of 128 do not divide"
        )

    def test_an_unknown_format_is_named(self, dense: Config, write_model: WriteModel) -> None:
        config = {**dense, "quantization_config": {"quant_method": "gptq", "bits": 4}}
        found = self.refused(write_model(config, {"x": mx.zeros(1)}))
        assert found == "config.json: quantization_config: quant_method = 'gptq' is not supported"


def test_what_mlx_lm_itself_quantized_and_saved_loads(
    dense: Config, make_weights: MakeWeights, write_model: WriteModel, tmp_path: Path
) -> None:
    from mlx_lm.utils import load_model, quantize_model, save_config, save_model

    whole = write_model(dense, make_weights(dense))
    model, config = load_model(whole)
    model, config = quantize_model(model, config, group_size=64, bits=4)
    folder = tmp_path / "mlx-lm"
    save_model(folder, model)
    save_config(config, folder / "config.json")
    assert json.loads((folder / "config.json").read_text())["quantization"]["bits"] == 4
    assert_same_model(folder)
