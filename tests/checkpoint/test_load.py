"""Model folders into networks: every published layout, and what they compute in."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from qwen3_mlx.checkpoint import load
from qwen3_mlx.checkpoint.load import load_checkpoint, open_checkpoint
from qwen3_mlx.errors import UsageError
from qwen3_mlx.model import Qwen3

if TYPE_CHECKING:
    from tests.checkpoint.conftest import Layouts, MakeWeights, Weights, WriteModel

Config = dict[str, object]
IDS = mx.array([[1, 5, 9, 2, 47]])


def parameters(model: Qwen3) -> Weights:
    return dict(tree_flatten(model.parameters()))  # type: ignore[no-untyped-call]


class TestLayouts:
    def test_dense(self, dense: Config, make_weights: MakeWeights, write_model: WriteModel) -> None:
        weights = make_weights(dense)
        found = parameters(load_checkpoint(write_model(dense, weights)).model)
        assert found.keys() == weights.keys()
        assert all(mx.array_equal(found[name], weights[name]) for name in weights)

    @pytest.mark.parametrize("layout", ["stacked", "one by one", "in pairs"])
    def test_experts(
        self,
        moe: Config,
        make_weights: MakeWeights,
        write_model: WriteModel,
        layouts: Layouts,
        layout: str,
    ) -> None:
        weights = make_weights(moe)
        found = parameters(load_checkpoint(write_model(moe, layouts[layout](weights))).model)
        assert found.keys() == weights.keys()
        assert all(mx.array_equal(found[name], weights[name]) for name in weights)

    def test_experts_spread_over_shards(
        self, moe: Config, make_weights: MakeWeights, write_model: WriteModel, layouts: Layouts
    ) -> None:
        weights = make_weights(moe)
        single = layouts["one by one"](weights)
        halves = [dict(list(single.items())[start::2]) for start in (0, 1)]
        found = parameters(load_checkpoint(write_model(moe, *halves, index=True)).model)
        assert all(mx.array_equal(found[name], weights[name]) for name in weights)

    def test_layers_without_experts_between_layers_with_them(
        self, moe: Config, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        second = "model.layers.1.mlp."
        weights = {n: a for n, a in make_weights(moe).items() if not n.startswith(second)}
        weights |= {n: a for n, a in make_weights(dense).items() if n.startswith(second)}
        config = {**moe, "mlp_only_layers": [1]}
        assert parameters(load_checkpoint(write_model(config, weights)).model).keys() == set(
            weights
        )

    def test_a_tied_model_computes_with_its_embedding(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        weights = make_weights(dense)
        weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
        untied = load_checkpoint(write_model(dense, weights, name="untied")).model
        config = {**dense, "tie_word_embeddings": True}
        other = {**weights, "lm_head.weight": mx.full((48, 64), math.nan)}
        del weights["lm_head.weight"]
        for number, each in enumerate((weights, other)):
            tied = load_checkpoint(write_model(config, each, name=f"tied{number}")).model
            assert mx.allclose(tied(IDS), untied(IDS), atol=1e-5)

    def test_rotary_frequencies_are_ignored(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        extra = {"model.layers.0.self_attn.rotary_emb.inv_freq": mx.zeros((16,))}
        loaded = load_checkpoint(write_model(dense, make_weights(dense) | extra))
        assert parameters(loaded.model).keys() == make_weights(dense).keys()


class TestComputing:
    @pytest.mark.parametrize("dtype", [mx.float16, mx.bfloat16])
    def test_float32_on_the_cpu(
        self,
        dense: Config,
        make_weights: MakeWeights,
        write_model: WriteModel,
        monkeypatch: pytest.MonkeyPatch,
        dtype: mx.Dtype,
    ) -> None:
        monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.cpu))
        halves = {name: array.astype(dtype) for name, array in make_weights(dense).items()}
        checkpoint = open_checkpoint(write_model(dense, halves))
        found = parameters(checkpoint.load().model)
        assert {array.dtype for array in found.values()} == {mx.float32}
        assert all(mx.array_equal(found[name], halves[name]) for name in halves)
        assert checkpoint.nbytes() == sum(array.nbytes for array in found.values())

    def test_another_dtype_when_asked(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        checkpoint = open_checkpoint(write_model(dense, make_weights(dense)))
        found = parameters(checkpoint.load(dtype=mx.bfloat16).model)
        assert {array.dtype for array in found.values()} == {mx.bfloat16}
        assert checkpoint.nbytes(mx.bfloat16) == sum(array.nbytes for array in found.values())

    def test_a_gpu_computes_in_the_types_of_the_checkpoint(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mx, "default_device", lambda: mx.Device(mx.gpu))
        assert load.compute_dtype(None) is None
        assert load.compute_dtype(mx.float16) == mx.float16

    @pytest.mark.parametrize("dtype", [mx.int32, mx.float64])
    def test_no_other_dtype(self, dtype: mx.Dtype) -> None:
        with pytest.raises(UsageError, match="a model cannot compute in mlx"):
            load.compute_dtype(dtype)

    def test_context_turns_yarn_on(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        folder = write_model(dense, make_weights(dense))
        assert load_checkpoint(folder).config.rope_scaling is None
        scaling = load_checkpoint(folder, context=3000).config.rope_scaling
        assert scaling is not None
        assert (scaling.rope_type, scaling.factor) == ("yarn", 4.0)

    def test_the_config_is_handed_on_as_it_stands(
        self, dense: Config, make_weights: MakeWeights, write_model: WriteModel
    ) -> None:
        config = {**dense, "something": {"else": [1]}}
        loaded = load_checkpoint(write_model(config, make_weights(dense)))
        assert loaded.raw_config == config
        assert loaded.quantization is None


def test_code_that_a_config_names_is_not_run(
    dense: Config, make_weights: MakeWeights, write_model: WriteModel, tmp_path: Path
) -> None:
    code = {"auto_map": {"AutoModel": "modeling.Evil"}, "model_file": "modeling.py"}
    folder = write_model({**dense, **code}, make_weights(dense))
    trace = tmp_path / "trace"
    (folder / "modeling.py").write_text(f"open({str(trace)!r}, 'w')\nclass Evil: pass\n", "utf-8")
    load_checkpoint(folder)
    assert not trace.exists()
