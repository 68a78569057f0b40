"""Looking on while a model routes: nothing is changed, and everything is counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, cast

import mlx.core as mx
import pytest

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.load import load_checkpoint, open_checkpoint
from qwen3_mlx.convert import observe as observing
from qwen3_mlx.convert.observe import Tally, observe, observed
from qwen3_mlx.errors import ModelTooLargeError, NonFiniteError, UsageError
from qwen3_mlx.model.moe import SparseMLP
from qwen3_mlx.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

TOKENIZER = bundled_path("tiny") / "tokenizer.json"
LAYERS = 2
TOP_K = 2
DOCUMENTS = ["What is 12 + 34? It is 46, of course.", "And 1 + 1 is 2."]


@pytest.fixture
def model(make_checkpoint: Callable[..., Checkpoint], tmp_path: Path) -> Path:
    """Two layers of eight experts, two for each token, with the bundled models' tokenizer.

    In float32, so that chunks of any size route alike on every device.
    """
    checkpoint = make_checkpoint({"vocab_size": 1600}, mx.float32)
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    return checkpoint.save(tmp_path / "model")


def test_what_is_counted_worked_out_on_paper() -> None:
    """Two tokens, two of three experts each; weights that do not add up to one."""
    tally = Tally(3)
    experts = mx.array([[[2, 0], [2, 1]]])
    weights = mx.array([[[0.3, 0.1], [0.2, 0.2]]])
    outputs = mx.array([[[[3.0, 4.0], [0.0, 2.0]], [[6.0, 8.0], [0.0, 0.0]]]])
    tally.add(experts, weights, outputs)
    found = tally.result(5)
    assert (found.layer, found.tokens) == (5, 2)
    assert found.together == ((1, 0, 1), (0, 1, 1), (1, 1, 2))
    # 1/4 of 2; 1/2 of 0; 3/4 of 5 and 1/2 of 10.
    assert found.contributions == pytest.approx((0.5, 0.0, 8.75))
    assert found.saliency == pytest.approx((0.5, 0.0, 4.375))


class Spy:
    """Stands in for a router, and keeps what it said of each token."""

    def __init__(self, mlp: SparseMLP) -> None:
        self._gate = mlp.gate
        self.logits: list[list[float]] = []

    def __call__(self, x: mx.array) -> mx.array:
        logits = self._gate(x)
        self.logits += cast("list[list[float]]", logits.flatten(0, -2).tolist())
        return logits


def routed_naively(folder: Path, windows: list[list[int]]) -> list[list[list[int]]]:
    """For each layer, how many tokens each two experts share: sorted logits, one at a time."""
    model = load_checkpoint(folder).model
    spies = []
    for layer in model.model.layers:
        assert isinstance(layer.mlp, SparseMLP)
        spies.append(Spy(layer.mlp))
        layer.mlp.gate = spies[-1]  # type: ignore[assignment]
    for window in windows:
        mx.eval(model(mx.array([window])))
    counts = [[[0] * 8 for _ in range(8)] for _ in spies]
    for count, spy in zip(counts, spies, strict=True):
        for logits in spy.logits:
            best = sorted(range(8), key=lambda expert: -logits[expert])[:TOP_K]
            for one in best:
                count[one][one] += 1
            for one, other in combinations(best, 2):
                count[one][other] += 1
                count[other][one] += 1
    return counts


def test_the_counts_are_those_of_a_naive_reading(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents longer than a window begin anew; chunks of a window go on."""
    monkeypatch.setattr(observing, "WINDOW_TOKENS", 11)
    monkeypatch.setattr(observing, "CHUNK_TOKENS", 4)
    encoded = list(map(load_tokenizer(model).encode, DOCUMENTS))
    windows = [ids[start : start + 11] for ids in encoded for start in range(0, len(ids), 11)]
    assert len(windows) > len(DOCUMENTS)
    seen: list[tuple[int, int]] = []
    routing = observe(model, DOCUMENTS, lambda done, total: seen.append((done, total)))
    total = sum(map(len, encoded))
    assert seen[-1] == (total, total)
    assert (routing.experts, routing.top_k, routing.tokens) == (8, TOP_K, total)
    expected = routed_naively(model, windows)
    assert [list(map(list, layer.together)) for layer in routing.layers] == expected


def test_the_model_computes_what_it_did(model: Path) -> None:
    loaded = load_checkpoint(model)
    ids = mx.arange(40).reshape(2, 20)
    before = loaded.model(ids)
    tallies = observed(loaded.model, loaded.config)
    assert mx.array_equal(loaded.model(ids), before)
    assert [tally.result(0).tokens for tally in tallies.values()] == [40] * LAYERS


def test_dense_layers_are_passed_over(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"vocab_size": 1600, "mlp_only_layers": [0]})
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    routing = observe(checkpoint.save(tmp_path / "model"), DOCUMENTS)
    assert [layer.layer for layer in routing.layers] == [1]


def test_a_dense_model_is_refused() -> None:
    with pytest.raises(UsageError, match="has no experts: it is a dense model"):
        observe(bundled_path("tiny-dense"), DOCUMENTS)


def test_weights_that_do_not_fit_are_refused(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needed = open_checkpoint(model).nbytes()
    monkeypatch.setattr(observing, "machine_memory", lambda: needed - 1)
    with pytest.raises(ModelTooLargeError, match="of memory for its weights"):
        observe(model, DOCUMENTS)


def test_numbers_that_are_none_are_noticed(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"vocab_size": 1600})
    checkpoint.files["tokenizer.json"] = TOKENIZER.read_text("utf-8")
    checkpoint.arrays["model.layers.1.mlp.switch_mlp.down_proj.weight"][:, 0, 0] = math.nan
    with pytest.raises(NonFiniteError, match="the experts of layer 1 gave NaN"):
        observe(checkpoint.save(tmp_path / "model"), DOCUMENTS)
