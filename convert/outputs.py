"""What rounding did to what the model says: source and result, run side by side.

Knows how to run a network with one layer in memory at a time, in float32, so that a source of
any format can be run, and one that is larger than memory. Does not judge what it measures.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.checkpoint.reader import TensorInfo, read_rows
from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.rounding import restored
from qwen3_mlx.convert.sources import Source
from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.memory import machine_memory, shown_bytes
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
FLOAT_BYTES = 4
LAYER = re.compile(r"model\.layers\.\d+\.")

Weights = Callable[[str], mx.array]


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
    source: Source, targets: Sequence[Target], stored: Mapping[str, TensorInfo], folder: Path
) -> Outputs:
    """Run a few fixed prompts through the source and through what became of it.

    Args:
        source: The original.
        targets: What became of each of the network's tensors.
        stored: The tensors of the result's files, by name.
        folder: The result, for its tokenizer.
    """
    needed = _needed_bytes(targets)
    if needed > machine_memory():
        return Outputs(None, 0.0, 0, f"it would take {shown_bytes(needed)} of memory")
    try:
        prompts = _prompt_ids(folder, source.config.vocab_size)
    except ModelFileError as error:
        return Outputs(None, 0.0, 0, f"the tokenizer cannot be used: {error.message}")
    made = {target.name: target for target in targets}
    before = _run(source.config, lambda name: _original(made[name], source), prompts)
    after = _run(source.config, lambda name: _stored(made[name], stored), prompts)
    return _difference(before, after)


def _needed_bytes(targets: Sequence[Target]) -> int:
    """Of the largest layer, and of what is no layer, in float32."""
    sizes: dict[str, int] = {}
    for target in targets:
        layer = LAYER.match(target.name)
        key = layer[0] if layer else ""
        sizes[key] = sizes.get(key, 0) + math.prod(target.shape) * FLOAT_BYTES
    return sizes.pop("") + max(sizes.values())


def _prompt_ids(folder: Path, vocabulary: int) -> list[mx.array]:
    """The prompts as ids [1, L]; those are left out that the tokenizer makes nothing of."""
    encode = load_tokenizer(folder).encode
    ids = [[i for i in encode(prompt) if i < vocabulary] for prompt in PROMPTS]
    return [mx.array([prompt]) for prompt in ids if prompt]


def _original(target: Target, source: Source) -> mx.array:
    """A tensor of the source in float32."""
    rows = [source.read(part).astype(mx.float32) for part in target.parts]
    return mx.concatenate(rows).reshape(target.shape)


def _stored(target: Target, stored: Mapping[str, TensorInfo]) -> mx.array:
    """A tensor of the result in float32."""
    rows = math.prod(target.shape[:-1])
    parts = {t.name: read_rows(stored[t.name], 0, rows) for t in target.stored}
    return restored(target, parts).reshape(target.shape)


def _run(config: Qwen3Config, weights: Weights, prompts: list[mx.array]) -> mx.array:
    """Log-probabilities of the token after each of the prompts' tokens, [tokens, vocabulary]."""
    embedding = weights("model.embed_tokens.weight")
    states = [embedding[ids] for ids in prompts]
    rope = Rope(config)
    for number in range(config.num_hidden_layers):
        layer = _layer(config, rope, number, weights)
        states = [layer(state, None) for state in states]
        mx.eval(states)
    norm = weights("model.norm.weight")
    head = embedding if config.tie_word_embeddings else weights("lm_head.weight")
    joined = mx.concatenate([state[0] for state in states])
    logits = mx.fast.rms_norm(joined, norm, config.rms_norm_eps) @ head.T
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


def _layer(config: Qwen3Config, rope: Rope, number: int, weights: Weights) -> DecoderLayer:
    prefix = f"model.layers.{number}."
    names = [name for name in expected_tensors(config, {}) if name.startswith(prefix)]
    layer = DecoderLayer(config, rope, number)
    layer.load_weights([(name.removeprefix(prefix), weights(name)) for name in names])
    return layer


def _difference(before: mx.array, after: mx.array) -> Outputs:
    divergence = (mx.exp(before) * (before - after)).sum(axis=-1).mean()
    same = (before.argmax(axis=-1) == after.argmax(axis=-1)).mean()
    return Outputs(_short(divergence), _short(same), before.shape[0])


def _short(number: mx.array) -> float:
    """Few enough digits that they are the same on every run."""
    return float(f"{number.item().real:.3g}")
