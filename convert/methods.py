"""The methods of mlx-lm that learn a quantization: what each can do, and how it is called.

Knows the functions in `mlx_lm.quant` and what they ask of a recipe. The work is theirs. Does not
know files. mlx-lm is imported when a method runs, since that takes seconds.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import mlx.core as mx

from qwen3_mlx.checkpoint.quantization import BITS, QuantSpec
from qwen3_mlx.convert.calibrate import BATCH, Method, Samples
from qwen3_mlx.convert.kinds import format_of
from qwen3_mlx.convert.plan import Plan, Target
from qwen3_mlx.errors import UnsupportedModelError, UsageError
from qwen3_mlx.model import Qwen3Config

EMBEDDING = "model.embed_tokens"
ENDS = (EMBEDDING, "lm_head")

SEED = 0
# How far DWQ may move a scale: mlx-lm's 2048 samples are 512 steps of 1e-6. A shorter text takes
# larger steps.
DWQ_REACH = 512e-6

# mlx-lm's network; it has no types.
Network = Any


@dataclass(frozen=True)
class Lesson:
    """What a method works with.

    Attributes:
        teacher: The network before rounding; stays as it is.
        build: Makes another one, with the modules of these names rounded plainly.
        samples: What to learn from.
    """

    teacher: Network
    build: Callable[[set[str]], Network]
    samples: Samples


class Learner(ABC):
    """A method, and a plan that says how each matrix is to be rounded.

    Attributes:
        learns: What kind of weights it learns, in words.
        keeps_weights: Whether they still stand for the source's numbers, one by one.
    """

    learns = "affine weights"
    keeps_weights = True

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.matrices = [target for target in plan.targets if len(target.shape) > 1]

    def learned(self) -> dict[str, QuantSpec]:
        """The modules of which it learns how to round them, and what they are rounded to."""
        return {t.path: t.spec for t in self.matrices if t.spec and self._learns(t)}

    def plain(self) -> set[str]:
        """The modules that are rounded too, but plainly."""
        return {t.path for t in self.matrices if t.spec} - self.learned().keys()

    def misfits(self) -> list[Target]:
        """What it cannot leave as the plan says."""
        return []

    @abstractmethod
    def run(self, lesson: Lesson) -> Network:
        """The network, rounded as the plan says."""

    @abstractmethod
    def _learns(self, target: Target) -> bool: ...


class Dwq(Learner):
    """Trains scales and biases to say what the teacher says; codes stay as they are."""

    learns = "affine weights of fewer than 8 bits"

    def run(self, lesson: Lesson) -> Network:
        learned, held = lesson.samples.learned, lesson.samples.held
        student = lesson.build(self.plain() | self.learned().keys())
        # DWQ unfreezes what it is about. Norms would move too, mostly by less than bfloat16 holds.
        student.freeze()
        rate = DWQ_REACH / (len(learned) // BATCH)
        import_module("mlx_lm.quant.dwq").dwq_quantize(
            student,
            lambda batch, *_, **__: lesson.teacher(batch),
            import_module("mlx.optimizers").Adam(learning_rate=rate, bias_correction=True),
            [(sample, 0) for sample in learned],
            [(sample, 0) for sample in held],
            batch_size=BATCH,
            max_seq_length=len(held[0]),
            seed=SEED,
            dtype=lesson.teacher.model.norm.weight.dtype,
        )
        return student

    def _learns(self, target: Target) -> bool:
        return _is_affine(target.spec, (2, 3, 4, 5, 6))


class Gptq(Learner):
    """Rounds column after column, and makes up in the later ones for the errors of the earlier.

    It takes every linear layer and all experts to one format, and lets be what is rounded already.
    """

    learns = "affine weights of 2, 4 or 8 bits"

    def misfits(self) -> list[Target]:
        return [target for target in self.matrices if target.spec is None]

    def run(self, lesson: Lesson) -> Network:
        spec = next(iter(self.learned().values()))
        network = lesson.build(self.plain())
        import_module("mlx_lm.quant.gptq").gptq_quantize(
            network,
            mx.array(lesson.samples.learned),
            bits=spec.bits,
            group_size=spec.group_size,
            fallback_bits=spec.bits,
            fallback_group_size=spec.group_size,
        )
        return network

    def _learns(self, target: Target) -> bool:
        possible = target.path != EMBEDDING and _is_affine(target.spec, (2, 4, 8))
        return possible and target.spec == self.plan.recipe.default


class Awq(Learner):
    """Scales columns up that matter more, so that they are rounded finer, and clips outliers.

    What undoes the scaling goes into norms and other matrices: the network says the same, with
    other weights. All matrices of the layers get one format, the embedding and the head another.
    """

    keeps_weights = False

    def misfits(self) -> list[Target]:
        specs = {target.path: target.spec for target in self.matrices}
        like = dict.fromkeys(ENDS, specs[EMBEDDING])
        return [
            target
            for target in self.matrices
            if not _is_affine(target.spec, BITS["affine"])
            or target.spec != like.get(target.path, self.plan.recipe.default)
        ]

    def run(self, lesson: Lesson) -> Network:
        spec = next(iter(self.learned().values()))
        ends = next(t.spec for t in self.matrices if t.spec and t.path == EMBEDDING)
        network, awq = lesson.build(set()), import_module("mlx_lm.quant.awq")
        awq.awq_quantize(
            network,
            mx.array(lesson.samples.learned),
            awq.AWQ_MODEL_CONFIGS["qwen3"],
            bits=spec.bits,
            group_size=spec.group_size,
            embed_bits=ends.bits,
            embed_group_size=ends.group_size,
        )
        return network

    def _learns(self, target: Target) -> bool:
        return target.path not in ENDS and _is_affine(target.spec, BITS["affine"])


def _is_affine(spec: QuantSpec | None, bits: tuple[int, ...]) -> bool:
    return spec is not None and spec.mode == "affine" and spec.bits in bits


LEARNERS: Mapping[Method, type[Learner]] = {"dwq": Dwq, "gptq": Gptq, "awq": Awq}


def check_method(method: Method, plan: Plan, config: Qwen3Config) -> None:
    """Refuse what a method cannot do, before anything is read.

    Raises:
        UnsupportedModelError: It cannot do this kind of model.
        UsageError: It cannot do this recipe.
    """
    name, recipe, learner = method.upper(), plan.recipe.name, LEARNERS[method](plan)
    if method == "awq" and config.model_type == "qwen3_moe":
        raise UnsupportedModelError(
            "AWQ on a mixture of experts is not supported: mlx-lm has no AWQ for qwen3_moe",
            hint="Use the method dwq or gptq.",
        )
    if not learner.learned():
        raise UsageError(
            f"{name} has nothing to learn with the recipe {recipe}",
            hint=f"It learns {learner.learns}: try the recipe 4bit.",
        )
    for target in learner.misfits():
        raise UsageError(
            f"{name} cannot do the recipe {recipe}, which has {target.path} in {format_of(target)}",
            hint="Use the recipe 4bit, or the method dwq, which takes any that it can learn from.",
        )
