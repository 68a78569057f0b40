"""What rounding did to what the model says: source and result, run side by side.

Knows how to run a network in float32 with a few rows in memory at a time, so that a source of any
format can be run, and one that is larger than memory. Does not judge what it measures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

import mlx.core as mx

from qwen3_mlx.checkpoint.reader import TensorInfo, read_rows
from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.rounding import restored
from qwen3_mlx.convert.sources import Rows, Source
from qwen3_mlx.convert.streamed import ReadRows, ReadWeight, product, streamed
from qwen3_mlx.convert.weights import Progress
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.model.layers import DecoderLayer
from qwen3_mlx.model.rope import Rope
from qwen3_mlx.text.tokenizer import load_tokenizer

PROMPTS = (
    "The capital of France is Paris, and the largest city of Japan is",
    "def add(first, second):\n    return first + second\n\n\ndef subtract(first, second):\n",
    "17 + 25 = 42, 30 - 12 = 18 and 6 * 7 =",
    "春眠不觉晓，处处闻啼鸟。夜来风雨声，",
)
EMBEDDING = "model.embed_tokens.weight"
# Of each prompt, from its end: the head is the costliest matrix by far.
COMPARED = 8


@dataclass(frozen=True)
class Outputs:
    """How far two models are apart over the same tokens.

    Attributes:
        kl: Mean KL divergence of the second from the first, in nats a token; None if they
            were not run.
        same: Part of the tokens after which both find the same token the likeliest.
        tokens: How many there were.
        reason: Why they were not run.
    """

    kl: float | None
    same: float
    tokens: int
    reason: str = ""


def compare_outputs(
    source: Source,
    targets: Sequence[Target],
    stored: Mapping[str, TensorInfo],
    folder: Path,
    progress: Callable[[Progress], None] | None = None,
) -> Outputs:
    """Run a few fixed prompts through the source and through what became of it.

    Args:
        source: The original.
        targets: What became of each of the network's tensors.
        stored: The tensors of the result's files, by name.
        folder: The result, for its tokenizer.
        progress: Called after each layer.
    """
    try:
        prompts = _prompt_ids(folder, source.config.vocab_size)
    except ModelFileError as error:
        return Outputs(None, 0.0, 0, f"the tokenizer cannot be used: {error.message}")
    made = {target.name: target for target in targets}
    nbytes = sum(target.nbytes for target in targets)
    run = Runs(source.config, prompts, nbytes, progress)
    before = run(lambda name, *rows: _original(made[name], source, *rows))
    after = run(lambda name, *rows: _stored(made[name], stored, *rows))
    return _difference(before, after)


def _prompt_ids(folder: Path, vocabulary: int) -> list[mx.array]:
    """The prompts as ids [1, L]; those are left out that the tokenizer makes nothing of."""
    encode = load_tokenizer(folder).encode
    ids = [[i for i in encode(prompt) if i < vocabulary] for prompt in PROMPTS]
    return [mx.array([prompt]) for prompt in ids if prompt]


def _original(target: Target, source: Source, start: int, stop: int) -> mx.array:
    """Rows of a tensor of the source in float32."""
    found, first = [], 0
    for part in target.parts:
        low, high = max(start - first, 0), min(stop - first, part.stop - part.start)
        if low < high:
            rows = Rows(part.tensor, part.start + low, part.start + high)
            found.append(source.read(rows).astype(mx.float32))
        first += part.stop - part.start
    return mx.concatenate(found)


def _stored(target: Target, stored: Mapping[str, TensorInfo], start: int, stop: int) -> mx.array:
    """Rows of a tensor of the result in float32."""
    return restored(target, {t.name: read_rows(stored[t.name], start, stop) for t in target.stored})


class Runs:
    """Runs the same prompts through networks of one shape, a few rows in memory at a time.

    Args:
        config: The networks'.
        prompts: Ids, each [1, L].
        nbytes: Of the weights, for the progress.
        progress: As for `compare_outputs`.
    """

    def __init__(
        self,
        config: Qwen3Config,
        prompts: list[mx.array],
        nbytes: int,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._config = config
        self._prompts = prompts
        self._nbytes = nbytes
        self._progress = progress
        self._done = 0

    def __call__(self, read: ReadWeight) -> mx.array:
        """The logits after each of the prompts' last tokens, [tokens, vocabulary]."""
        config = self._config
        states = [_embedded(ids, partial(read, EMBEDDING)) for ids in self._prompts]
        rope = Rope(config)
        for number in range(config.num_hidden_layers):
            layer = DecoderLayer(config, rope, number)
            layer = streamed(layer, f"model.layers.{number}.", read)
            states = [layer(state, None) for state in states]
            mx.eval(states)
            self._advance()
        norm = read("model.norm.weight", 0, 1)[0]
        joined = mx.concatenate([state[0, -COMPARED:] for state in states])
        head = partial(read, EMBEDDING if config.tie_word_embeddings else "lm_head.weight")
        return product(
            mx.fast.rms_norm(joined, norm, config.rms_norm_eps), head, 0, config.vocab_size
        )

    def _advance(self) -> None:
        self._done += 1
        if self._progress is not None:
            layers = 2 * self._config.num_hidden_layers  # of both networks
            done = self._nbytes * self._done // layers
            self._progress(Progress(done, self._nbytes, "running prompts"))


def _embedded(ids: mx.array, read: ReadRows) -> mx.array:
    """Ids [1, L] -> [1, L, hidden]."""
    rows = [read(number, number + 1) for number in cast(list[int], ids[0].tolist())]
    return mx.concatenate(rows)[None]


def _difference(before: mx.array, after: mx.array) -> Outputs:
    """From logits [tokens, vocabulary], a token at a time to save memory."""
    divergences = []
    for first, second in zip(before, after, strict=True):
        first, second = first - mx.logsumexp(first), second - mx.logsumexp(second)
        divergences.append((mx.exp(first) * (first - second)).sum())
        mx.eval(divergences[-1])
    same = (before.argmax(axis=-1) == after.argmax(axis=-1)).mean()
    return Outputs(_short(mx.stack(divergences).mean()), _short(same), before.shape[0])


def _short(number: mx.array) -> float:
    """Few enough digits that they are the same on every run."""
    return float(f"{number.item().real:.3g}")
