"""Pruned models: the right experts go, with all that is theirs, and nothing else changes."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.checkpoint.recorded import check_recorded
from qwen3_mlx.convert import Progress, convert, plan, prune
from qwen3_mlx.convert.prune_choice import Method
from qwen3_mlx.convert.prune_source import PrunedSource
from qwen3_mlx.convert.sources import Rows
from qwen3_mlx.text.tokenizer import load_tokenizer
from tests.convert.conftest import CONFIG, EXPERTS, random_checkpoint

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

TOKENIZER = bundled_path("tiny") / "tokenizer.json"
LN2, LN3 = math.log(2), math.log(3)
SIZES: dict[str, object] = {"hidden_size": 64, "vocab_size": 1600}
FORMS = ("one by one", "stacked", "pairs")
RECIPES = ("4bit", "8bit", "mxfp4")


def arrays_of(folder: Path) -> dict[str, mx.array]:
    arrays: dict[str, mx.array] = {}
    for path in sorted(folder.glob("*.safetensors")):
        loaded = mx.load(str(path))
        assert isinstance(loaded, dict)
        arrays |= loaded
    return arrays


def record(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "pruning.json").read_text("utf-8"))
    return found


def with_tokenizer(checkpoint: Checkpoint) -> Checkpoint:
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    return checkpoint


@pytest.fixture(scope="module")
def experts() -> Checkpoint:
    """Two layers of eight random experts, two for each token."""
    return with_tokenizer(random_checkpoint(CONFIG | EXPERTS | SIZES))


@pytest.fixture(scope="module")
def source(
    request: pytest.FixtureRequest, experts: Checkpoint, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The model in one of the forms, or quantized by one of the recipes."""
    folder = tmp_path_factory.mktemp("experts")
    if request.param in FORMS:
        return experts.save(folder / "source", request.param, shards=2)
    return convert(experts.save(folder / "whole"), folder / "source", request.param, verify=False)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("What is 12 + 34? It is 46, of course.", "utf-8")
    return path


every_form = pytest.mark.parametrize("source", [*FORMS, *RECIPES], indirect=True)


def stacked(folder: Path, experts: Checkpoint, form: str) -> dict[str, mx.array]:
    """What is stored of a model, under the names that it has in MLX's format."""
    return experts.arrays if form in FORMS else arrays_of(folder)


@every_form
def test_what_stays_keeps_every_bit(
    source: Path, request: pytest.FixtureRequest, experts: Checkpoint, text: Path, tmp_path: Path
) -> None:
    """Rows of the kept experts, of packed weights, scales and biases alike; the rest as it was."""
    folder = prune(source, tmp_path / "out", keep=5, calibrate=text).folder
    form = request.node.callspec.params["source"]
    before, after = stacked(source, experts, form), arrays_of(folder)
    kept = {layer["layer"]: mx.array(layer["kept"]) for layer in record(folder)["layers"]}
    assert after.keys() == before.keys()
    for name, array in before.items():
        parts = name.split(".")
        if ".mlp." in name:
            array = array[kept[int(parts[2])]]
            assert array.shape[0] == 5
        assert after[name].dtype == array.dtype
        assert mx.array_equal(after[name], array), name


@every_form
@pytest.mark.parametrize("method", ["reap", "frequency"])
def test_experts_that_were_never_chosen_are_not_missed(
    source: Path, method: Method, tmp_path: Path
) -> None:
    """Three tokens go through six experts of a layer at most: with six the logits stay."""
    text = tmp_path / "text.txt"
    text.write_text("1+2", "utf-8")
    ids = mx.array([load_tokenizer(source).encode("1+2")])
    assert ids.shape == (1, 3)
    folder = prune(source, tmp_path / "out", keep=6, calibrate=text, method=method).folder
    before, after = (load_checkpoint(path).model(ids) for path in (source, folder))
    assert mx.array_equal(before, after)
    assert all(layer["kept_load"] == 1 for layer in record(folder)["layers"])


@pytest.fixture(scope="module")
def mlx_lm() -> ModuleType:
    """mlx-lm's loader; what it and transformers deprecate is not ours to mend."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        import mlx_lm.utils

        return mlx_lm.utils


@every_form
def test_mlx_lm_gives_the_same_logits(
    source: Path, text: Path, mlx_lm: ModuleType, tmp_path: Path
) -> None:
    folder = prune(source, tmp_path / "out", keep=3, calibrate=text).folder
    theirs, config = mlx_lm.load_model(folder)
    theirs.set_dtype(mx.float32)
    assert config["num_experts"] == 3
    ids = mx.arange(40).reshape(2, 20)
    assert mx.all(mx.abs(theirs(ids) - load_checkpoint(folder, dtype=mx.float32).model(ids)) < 1e-4)


def by_hand(make_checkpoint: Callable[..., Checkpoint]) -> Checkpoint:
    """One layer of three experts of width one over two dimensions, of which two are chosen.

    Attention adds nothing, so that experts see a token's embedding, (1, 0) for all but the digit 2
    and (0, 1) for that: RMSNorm makes it sqrt 2 times as large, and its weight takes that back.
    The router's logits are, for (1, 0): 0, ln 2, ln 4; for (0, 1): ln 4, 0, ln 2.
    Gate and up see x1 + x2 = 1 and make silu(ln 3) * up = (3/4 ln 3) * 4 / (3 ln 3) = 1, so
    that each expert's output is its down vector: (7, 7), (3, 0), (0, 6).
    """
    sizes = {"hidden_size": 2, "moe_intermediate_size": 1, "vocab_size": 1600, "num_experts": 3}
    heads = {"num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": 2}
    changes = {**sizes, **heads, "num_hidden_layers": 1, "tie_word_embeddings": True}
    checkpoint = with_tokenizer(make_checkpoint(changes, mx.float32))
    layer, mlp = "model.layers.0", "model.layers.0.mlp"
    (two,) = encode("2")
    embedding = mx.tile(mx.array([[1.0, 0.0]]), (1600, 1))
    embedding[two] = mx.array([0.0, 1.0])
    checkpoint.arrays |= {
        "model.embed_tokens.weight": embedding,
        f"{layer}.self_attn.o_proj.weight": mx.zeros((2, 2)),
        f"{layer}.post_attention_layernorm.weight": mx.full(2, 2**-0.5),
        f"{mlp}.gate.weight": mx.array([[0, 2 * LN2], [LN2, 0], [2 * LN2, LN2]]),
        f"{mlp}.switch_mlp.gate_proj.weight": mx.full((3, 1, 2), LN3),
        f"{mlp}.switch_mlp.up_proj.weight": mx.full((3, 1, 2), 4 / (3 * LN3)),
        f"{mlp}.switch_mlp.down_proj.weight": mx.array([[[7.0], [7]], [[3], [0]], [[0], [6]]]),
    }
    return checkpoint


def encode(text: str) -> list[int]:
    return load_tokenizer(bundled_path("tiny")).encode(text)


@pytest.mark.parametrize(
    ("method", "kept", "scores", "kept_score"),
    [
        # 2/3 of sqrt 98 once; 1/3 of 3 twice; 2/3 of 6 twice and 1/3 of 6 once.
        ("reap", [0, 2], [2 / 3 * math.sqrt(98), 1, 10 / 3], 0.90847),
        ("frequency", [1, 2], [1, 2, 3], 5 / 6),
    ],
)
def test_scores_worked_out_on_paper(
    method: Method,
    kept: list[int],
    scores: list[float],
    kept_score: float,
    make_checkpoint: Callable[..., Checkpoint],
    tmp_path: Path,
) -> None:
    """Of the tokens 1, 1, 2 the first two go through experts 1 and 2, the third through 0 and 2."""
    assert [len(encode(text)) for text in ("2", "112")] == [1, 3]
    source = by_hand(make_checkpoint).save(tmp_path / "source")
    text = tmp_path / "text.txt"
    text.write_text("112", "utf-8")
    folder = prune(source, tmp_path / "out", keep=2, calibrate=text, method=method).folder
    (layer,) = record(folder)["layers"]
    assert layer["kept"] == kept
    assert layer["load"] == [1, 2, 3]
    assert layer["scores"] == pytest.approx(scores, rel=1e-5)
    assert layer["kept_score"] == pytest.approx(kept_score, rel=1e-4)
    assert layer["kept_load"] == pytest.approx(sum(layer["load"][i] for i in kept) / 6, rel=1e-5)
    router = arrays_of(folder)["model.layers.0.mlp.gate.weight"]
    assert mx.array_equal(
        router, arrays_of(source)["model.layers.0.mlp.gate.weight"][mx.array(kept)]
    )


@pytest.mark.parametrize("source", ["one by one"], indirect=True)
def test_a_folder_says_what_was_done(source: Path, text: Path, tmp_path: Path) -> None:
    pruning = prune(source, tmp_path / "out", keep=5, calibrate=text)
    found, tokens = record(pruning.folder), len(encode(text.read_text()))
    assert found["source"]["name"] == "source"
    assert sorted(found["source"]["sha256"]) == ["part-0.safetensors", "part-1.safetensors"]
    assert found["method"] == "reap"
    assert found["text"] == {"name": "text.txt", "sha256": pruning.text.sha256, "tokens": tokens}
    assert found["experts"] == {"before": 8, "after": 5}
    assert list(found["headers"]) == ["model.safetensors"]
    check_recorded(pruning.folder)
    assert {"model.safetensors", "config.json", "tokenizer.json"} <= found["sha256"].keys()
    card = (pruning.folder / "README.md").read_text("utf-8")
    assert "# source with 5 of 8 experts" in card
    for layer, pruned in zip(found["layers"], pruning.layers, strict=True):
        assert layer["kept"] == list(pruned.kept)
        assert sum(layer["load"]) == 2 * tokens
        share = f"| {layer['kept_score']:.1%} | {layer['kept_load']:.1%} |"
        assert f"| {layer['layer']} {share}" in card
    config = json.loads((pruning.folder / "config.json").read_text("utf-8"))
    assert config == json.loads((source / "config.json").read_text("utf-8")) | {"num_experts": 5}
    index = json.loads((pruning.folder / "model.safetensors.index.json").read_text("utf-8"))
    arrays = arrays_of(pruning.folder).values()
    assert index["metadata"] == {
        "total_parameters": sum(array.size for array in arrays),
        "total_size": sum(array.nbytes for array in arrays),
    }


def test_a_quantized_model_counts_its_numbers_unpacked(text: Path, tmp_path: Path) -> None:
    """The bundled model, as it ships: 4 layers, 32 wide experts, 128 before."""
    folder = prune("tiny", tmp_path / "out", keep=100, calibrate=text).folder
    before, after = (
        json.loads((path / "model.safetensors.index.json").read_text("utf-8"))["metadata"]
        for path in (bundled_path("tiny"), folder)
    )
    each = 3 * 32 * 128 + 128  # of one expert, and its row of the router
    lost = 4 * 28 * each
    assert before["total_parameters"] - after["total_parameters"] == lost


@pytest.mark.parametrize("source", ["4bit"], indirect=True)
def test_all_experts_may_stay(source: Path, text: Path, tmp_path: Path) -> None:
    folder = prune(source, tmp_path / "out", keep=8, calibrate=text).folder
    assert (folder / "model.safetensors").read_bytes() == (
        source / "model.safetensors"
    ).read_bytes()


@pytest.mark.parametrize("source", ["stacked", "4bit"], indirect=True)
def test_a_pruned_model_can_be_pruned_again(source: Path, text: Path, tmp_path: Path) -> None:
    once = prune(source, tmp_path / "once", keep=5, calibrate=text).folder
    twice = prune(once, tmp_path / "twice", keep=2, calibrate=text).folder
    assert load_checkpoint(twice).config.num_experts == 2
    assert record(twice)["experts"] == {"before": 5, "after": 2}


def test_dense_layers_stay_as_they_are(
    make_checkpoint: Callable[..., Checkpoint], text: Path, tmp_path: Path
) -> None:
    checkpoint = with_tokenizer(make_checkpoint({"vocab_size": 1600, "mlp_only_layers": [0]}))
    folder = prune(checkpoint.save(tmp_path / "s"), tmp_path / "out", keep=4, calibrate=text).folder
    name = "model.layers.0.mlp.gate_proj.weight"
    assert mx.array_equal(arrays_of(folder)[name], checkpoint.arrays[name])
    assert [layer["layer"] for layer in record(folder)["layers"]] == [1]


@pytest.mark.parametrize("source", ["pairs", "4bit"], indirect=True)
def test_little_is_in_memory_at_a_time(
    source: Path, text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And how much changes nothing of the result."""
    whole = arrays_of(prune(source, tmp_path / "in one", keep=5, calibrate=text).folder)
    read, sizes = PrunedSource.read, list[int]()

    def noted(self: PrunedSource, rows: Rows) -> mx.array:
        numbers = read(self, rows)
        sizes.append(numbers.nbytes)
        return numbers

    monkeypatch.setattr(PrunedSource, "read", noted)
    monkeypatch.setattr(plan, "CHUNK_BYTES", 1000)
    monkeypatch.setattr(plan, "SHARD_BYTES", 40_000)
    folder = prune(source, tmp_path / "cut", keep=5, calibrate=text).folder
    assert max(sizes) <= 1000
    assert len(list(folder.glob("model-*-of-*.safetensors"))) > 2
    cut = arrays_of(folder)
    assert cut.keys() == whole.keys()
    assert all(mx.array_equal(cut[name], whole[name]) for name in whole)


@pytest.mark.parametrize("source", ["stacked"], indirect=True)
def test_progress_goes_from_the_text_to_the_last_tensor(
    source: Path, text: Path, tmp_path: Path
) -> None:
    seen: list[Progress] = []
    prune(source, tmp_path / "out", keep=5, calibrate=text, progress=seen.append)
    stages = [state.stage for state in seen]
    assert stages == sorted(stages)
    for stage in ("calibrating", "pruning"):
        last = [state for state in seen if state.stage == stage][-1]
        assert last.done_bytes == last.total_bytes > 0


@pytest.mark.parametrize("source", ["stacked"], indirect=True)
def test_a_text_that_is_too_short_to_choose_by_is_told_of(source: Path, tmp_path: Path) -> None:
    """One token uses two of eight experts in each layer; nothing tells which other three stay."""
    text = tmp_path / "text.txt"
    text.write_text("1", "utf-8")
    notes: list[str] = []
    prune(source, tmp_path / "out", keep=5, calibrate=text, note=notes.append)
    (note,) = notes
    assert note.startswith(
        "in 2 of 2 layers more experts got none of the 1 tokens than are removed"
    )
    notes.clear()
    prune(source, tmp_path / "two", keep=2, calibrate=text, note=notes.append)
    assert notes == []
