"""A text through a model with experts, while what its routers do is counted.

Knows how to look on without changing what the model computes. Does not know what the counts are
for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import mlx.core as mx

from qwen3_mlx.checkpoint.load import Checkpoint, open_checkpoint
from qwen3_mlx.convert.routing import LayerRouting, Routing
from qwen3_mlx.convert.texts import Document, Encoder
from qwen3_mlx.errors import ModelTooLargeError, NonFiniteError, UsageError
from qwen3_mlx.memory import machine_memory, shown_bytes
from qwen3_mlx.model import Qwen3, Qwen3Config
from qwen3_mlx.model.cache import make_cache
from qwen3_mlx.model.moe import SparseMLP, route

# A document that is longer is read in parts, each from an empty context.
WINDOW_TOKENS = 2048
CHUNK_TOKENS = 512


class Tally:
    """What is counted in one layer.

    Args:
        experts: How many the layer has.
    """

    def __init__(self, experts: int) -> None:
        self._experts = experts
        self._tokens = 0
        self.together = mx.zeros((experts, experts), dtype=mx.int32)
        self.contributions = mx.zeros(experts)

    def add(self, experts: mx.array, weights: mx.array, outputs: mx.array) -> None:
        """Count some tokens; nothing is computed yet.

        Args:
            experts: Those chosen for each token, [..., k].
            weights: The router's, [..., k].
            outputs: The experts', [..., k, hidden].
        """
        experts, weights = experts.flatten(0, -2), weights.flatten(0, -2)
        norms = mx.linalg.norm(outputs.astype(mx.float32), axis=-1).flatten(0, -2)
        shares = weights / weights.sum(axis=-1, keepdims=True)
        nothing = mx.zeros((experts.shape[0], self._experts))
        chosen = mx.put_along_axis(nothing, experts, mx.array(1.0), axis=-1)
        said = mx.put_along_axis(nothing, experts, shares * norms, axis=-1)
        self._tokens += experts.shape[0]
        self.together = self.together + (chosen.T @ chosen).astype(mx.int32)
        self.contributions = self.contributions + said.sum(axis=0)

    def result(self, layer: int) -> LayerRouting:
        """The counts so far, as those of the layer with that number."""
        together = tuple(map(tuple, cast("list[list[int]]", self.together.tolist())))
        contributions = tuple(cast("list[float]", self.contributions.tolist()))
        return LayerRouting(layer, self._tokens, together, contributions)


class ObservedMLP(SparseMLP):
    """A sparse MLP that computes what another does, and counts.

    Args:
        mlp: The other, whose router and experts it takes.
        config: The network.
    """

    def __init__(self, mlp: SparseMLP, config: Qwen3Config) -> None:
        super().__init__(config)
        self.gate, self.switch_mlp = mlp.gate, mlp.switch_mlp
        self._config = config
        self.tally = Tally(config.num_experts)

    def __call__(self, x: mx.array) -> mx.array:
        """[B, L, hidden] -> [B, L, hidden]."""
        top_k, renormalise = self._config.num_experts_per_tok, self._config.norm_topk_prob
        experts, weights = route(self.gate(x), top_k, renormalise)
        outputs = self.switch_mlp(x, experts)
        self.tally.add(experts, weights, outputs)
        return (outputs * weights.astype(outputs.dtype)[..., None]).sum(axis=-2)


def observed(model: Qwen3, config: Qwen3Config) -> dict[int, Tally]:
    """Put an `ObservedMLP` in place of each sparse MLP: what each counts, by layer."""
    tallies = {}
    for number, layer in enumerate(model.model.layers):
        if isinstance(layer.mlp, SparseMLP):
            layer.mlp = mlp = ObservedMLP(layer.mlp, config)
            tallies[number] = mlp.tally
    return tallies


def open_sparse(folder: Path) -> Checkpoint:
    """Open a model folder, as `open_checkpoint` does.

    Raises:
        UsageError: It is not a folder, or the model has no experts.
        ModelFileError: The files are damaged or not supported.
    """
    if not folder.is_dir():
        raise UsageError(
            f"{folder} is no model folder", hint="Convert it first: qwen3-mlx convert SRC DST."
        )
    checkpoint = open_checkpoint(folder)
    config = checkpoint.config
    if not any(map(config.is_sparse, range(config.num_hidden_layers))):
        raise UsageError(
            f"{folder} has no experts: it is a dense model",
            hint="Those with experts are tiny, 30b-a3b and 235b-a22b.",
        )
    return checkpoint


def observe(
    folder: Path,
    documents: Sequence[Document],
    progress: Callable[[int, int], None] | None = None,
) -> Routing:
    """Run documents through the model in a folder, all weights in memory, and count.

    Args:
        folder: A model with experts.
        documents: Each is read from an empty context.
        progress: Called with the tokens done and to do.

    Raises:
        UsageError: The model has no experts.
        ModelFileError: The model's files are damaged.
        ModelTooLargeError: The weights do not fit into memory.
        NonFiniteError: The model's numbers are not finite.
    """
    checkpoint = open_sparse(folder)
    _check_memory(folder, checkpoint)
    config = checkpoint.config
    encoded = list(map(Encoder(folder, config.vocab_size), documents))
    model = checkpoint.load().model
    tallies = observed(model, config)
    done, total = 0, sum(map(len, encoded))
    for window in _windows(encoded, min(WINDOW_TOKENS, config.context_length)):
        cache = make_cache(config)
        for start in range(0, len(window), CHUNK_TOKENS):
            chunk = window[start : start + CHUNK_TOKENS]
            model(mx.array([chunk]), cache)
            mx.eval([(tally.together, tally.contributions) for tally in tallies.values()])
            done += len(chunk)
            if progress is not None:
                progress(done, total)
    layers = tuple(tally.result(number) for number, tally in tallies.items())
    _check_finite(folder, layers)
    return Routing(config.num_experts, config.num_experts_per_tok, total, layers)


def _windows(documents: Sequence[list[int]], length: int) -> Iterator[list[int]]:
    for ids in documents:
        for start in range(0, len(ids), length):
            yield ids[start : start + length]


def _check_memory(folder: Path, checkpoint: Checkpoint) -> None:
    needed, there = checkpoint.nbytes(), machine_memory()
    if needed > there:
        raise ModelTooLargeError(
            f"to run {folder} takes {shown_bytes(needed)} of memory for its weights, of "
            f"{shown_bytes(there)}",
            hint="Convert it to fewer bits first: qwen3-mlx convert.",
        )


def _check_finite(folder: Path, layers: Sequence[LayerRouting]) -> None:
    for layer in layers:
        if not math.isfinite(sum(layer.contributions)):
            raise NonFiniteError(
                f"{folder}: the experts of layer {layer.layer} gave NaN or infinite numbers",
                hint="The model is damaged: fetch or convert it again.",
            )
