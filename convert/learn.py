"""A quantization that is learned from a text: mlx-lm's methods, run on a source of ours.

Knows how our numbers get into mlx-lm's networks and out again, and how far two networks are apart.
Does not know the methods, and writes nothing.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass
from importlib import import_module
from pathlib import Path

import mlx.core as mx
from mlx.nn.layers.quantized import quantize
from mlx.utils import tree_flatten

from qwen3_mlx.convert.calibrate import SAMPLE_TOKENS, Calibration, Sample
from qwen3_mlx.convert.companions import mlx_config
from qwen3_mlx.convert.learned import LearnedSource
from qwen3_mlx.convert.methods import LEARNERS, Lesson, Network
from qwen3_mlx.convert.plan import Plan, Target
from qwen3_mlx.convert.quantize import check_finite
from qwen3_mlx.convert.rounding import rounded
from qwen3_mlx.convert.sources import Source
from qwen3_mlx.convert.texts import Encoder, unpacked
from qwen3_mlx.errors import ConversionError, ModelTooLargeError, NonFiniteError
from qwen3_mlx.memory import machine_memory, shown_bytes
from qwen3_mlx.model.device import on_gpu


@dataclass(frozen=True)
class Learned:
    """What was learned, and how much that gained.

    Attributes:
        source: The weights, as they are to be stored.
        sha256: Of them.
        is_comparable: Whether they still stand for the source's numbers, one by one.
        record: For the manifest: the method, the text, and the KL divergence from the source over
            tokens that nothing was learned from, in nats a token, of what was learned and of plain
            rounding.
    """

    source: LearnedSource
    sha256: str
    is_comparable: bool
    record: Mapping[str, object]


def learn(plan: Plan, source: Source, calibration: Calibration) -> Learned:
    """Learn how to round a source's weights.

    Args:
        plan: What each is rounded to; `check_method` has nothing against it.
        source: The weights; all of them are in memory while this lasts.
        calibration: The method, and the text to learn from.

    Raises:
        UsageError: The text is too short.
        ModelTooLargeError: The weights do not fit into memory.
        ModelFileError: The source or its tokenizer is damaged.
        ConversionError: mlx-lm failed.
    """
    _check_memory(plan)
    config, method = source.config, calibration.method
    length = min(SAMPLE_TOKENS, config.max_position_embeddings)
    with unpacked(source.companions()) as folder:
        samples = calibration.samples(Encoder(folder, config.vocab_size), length)
    networks = Networks(plan, source)
    lesson = Lesson(networks.build(set()), networks.build, samples)
    learner = LEARNERS[method](plan)
    try:
        with _hushed():
            student = learner.run(lesson)
    except (RuntimeError, ValueError) as error:
        raise ConversionError(f"mlx-lm's {method.upper()} failed: {error}") from error
    stored = LearnedSource(plan, source, _arrays(plan, student, method))
    record = {
        "method": method,
        "text": {"name": calibration.name, "sha256": calibration.sha256},
        "tokens": len(samples.learned) * length,
        "held_out": _gain(plan, lesson, student),
    }
    return Learned(stored, stored.sha256(), learner.keeps_weights, record)


def _gain(plan: Plan, lesson: Lesson, student: Network) -> dict[str, object]:
    """How far what was learned is from the teacher, and how far plain rounding is."""
    plain = lesson.build({target.path for target in plan.targets if target.spec})
    held = lesson.samples.held
    return {
        "tokens": sum(map(len, held)),
        "kl": divergence(lesson.teacher, student, held),
        "kl_of_plain_rounding": divergence(lesson.teacher, plain, held),
    }


class Networks:
    """Makes mlx-lm's networks of a source's numbers, which they share as long as they are whole.

    On a GPU they compute in the dtype that is stored; on the CPU in float32, since nothing else is
    both right and fast there.
    """

    def __init__(self, plan: Plan, source: Source) -> None:
        self._plan = plan
        self._source = source
        self._numbers = {
            target.name: self._cast(_read(target, source), target).reshape(target.shape)
            for target in plan.targets
        }
        mx.eval(self._numbers)

    def build(self, paths: set[str]) -> Network:
        """A network with the modules at these paths rounded plainly, as `rounded` does it."""
        raw, config = self._source.raw_config, self._source.config
        settings = mlx_config(raw, config, dtype=self._plan.dtype, quantization=None)
        module = import_module(f"mlx_lm.models.{config.model_type}")
        network = module.Model(module.ModelArgs.from_dict(settings))
        specs = {t.path: asdict(t.spec) for t in self._plan.targets if t.spec and t.path in paths}
        quantize(network, class_predicate=lambda path, _: specs.get(path, False))
        network.load_weights(
            [part for target in self._plan.targets for part in self._parts(target, specs)]
        )
        mx.eval(network.parameters())
        return network.eval()

    def _parts(self, target: Target, specs: Mapping[str, object]) -> list[tuple[str, mx.array]]:
        if target.path not in specs:
            return [(target.name, self._numbers[target.name])]
        parts = rounded(target, _read(target, self._source))
        shapes = {tensor.name: tensor.shape for tensor in target.stored}
        return [(n, self._cast(part, target).reshape(shapes[n])) for n, part in parts.items()]

    def _cast(self, array: mx.array, target: Target) -> mx.array:
        dtype = target.dtype if on_gpu() else mx.float32
        return array.astype(dtype) if mx.issubdtype(array.dtype, mx.floating) else array


def _read(target: Target, source: Source) -> mx.array:
    """All numbers of a target, [rows, width]."""
    numbers = mx.concatenate([source.read(rows) for rows in target.parts])
    check_finite(numbers, target.name)
    return numbers


def _check_memory(plan: Plan) -> None:
    """The weights whole, and twice rounded: as they are learned, and plainly."""
    size = plan.dtype.size if on_gpu() else mx.float32.size
    needed = plan.parameters * size + 2 * plan.total_bytes
    if needed > machine_memory():
        raise ModelTooLargeError(
            f"to learn a quantization takes {shown_bytes(needed)} of memory at least, of "
            f"{shown_bytes(machine_memory())}",
            hint="Leave out the method: plain rounding needs little memory.",
        )


def _arrays(plan: Plan, network: Network, method: str) -> dict[str, mx.array]:
    """What is stored of a network, by name; on the CPU, as all that is written."""
    found = dict(tree_flatten(network.parameters()))
    arrays = {}
    with mx.stream(mx.cpu):
        for tensor in (tensor for shard in plan.shards for tensor in shard.stored):
            array = found.get(tensor.name)
            if array is None or array.shape != tensor.shape:
                raise ConversionError(f"mlx-lm's {method.upper()} gave no {tensor.name}")
            arrays[tensor.name] = array.astype(tensor.dtype)
            _check_learned(arrays[tensor.name], tensor.name, method)
    return arrays


def _check_learned(array: mx.array, name: str, method: str) -> None:
    try:
        check_finite(array, name)
    except NonFiniteError as error:
        raise ConversionError(
            f"{method.upper()} learned NaN or infinite numbers for {name}",
            hint="Give it another or a longer text.",
        ) from error


def divergence(first: Network, second: Network, samples: list[Sample]) -> float:
    """Mean KL divergence of the second from the first, in nats a token."""
    total = sum(_divergence(first, second, mx.array([sample])) for sample in samples)
    mean = total / len(samples)
    return float(f"{mean:.3g}") if math.isfinite(mean) else math.inf


def _divergence(first: Network, second: Network, ids: mx.array) -> float:
    before, after = (_log_probabilities(network(ids)) for network in (first, second))
    return float((mx.exp(before) * (before - after)).sum(axis=-1).mean().item().real)


def _log_probabilities(logits: mx.array) -> mx.array:
    logits = logits.astype(mx.float32)
    return logits - mx.logsumexp(logits, axis=-1, keepdims=True)


@contextmanager
def _hushed() -> Iterator[None]:
    """Nothing is printed: mlx-lm draws bars and writes how far it is."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        redirect_stdout(nowhere),
        redirect_stderr(nowhere),
    ):
        yield
