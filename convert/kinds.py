"""Tensors of the same kind in all layers, taken together.

Knows names and formats. Does not read numbers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qwen3_mlx.checkpoint.layout import Shape
from qwen3_mlx.convert.plan import Plan, Target
from qwen3_mlx.convert.recipes import Recipe
from qwen3_mlx.convert.sources import Source

LAYER = re.compile(r"^model\.layers\.\d+\.")


@dataclass(frozen=True)
class Kind:
    """Tensors that have the same place in their layers, the same shape and the same format.

    Attributes:
        name: Of the place, without the layer.
        shape: Of each, unquantized.
        format: In words.
        names: Of all of them.
        nbytes: Of all of them in the destination.
    """

    name: str
    shape: Shape
    format: str
    names: tuple[str, ...]
    nbytes: int


def kinds_of(targets: Iterable[Target]) -> list[Kind]:
    """The kinds of tensor, in the order in which each first comes."""
    groups: dict[tuple[str, Shape, str], list[Target]] = {}
    for target in targets:
        name = place_of(target.name)
        groups.setdefault((name, target.shape, format_of(target)), []).append(target)
    return [
        Kind(*key, tuple(t.name for t in same), sum(t.nbytes for t in same))
        for key, same in groups.items()
    ]


def place_of(name: str) -> str:
    """A tensor's name without its layer: `self_attn.q_proj`."""
    return LAYER.sub("", name).removesuffix(".weight")


def format_of(target: Target) -> str:
    """How a tensor is stored, in words: `4 bits by 64`, `mxfp4`, `bfloat16`."""
    spec = target.spec
    if spec is None:
        return str(target.dtype).removeprefix("mlx.core.")
    return f"{spec.bits} bits by {spec.group_size}" if spec.mode == "affine" else spec.mode


def notes_on(plan: Plan, source: Source) -> list[str]:
    """What the source warns of, and where a recipe's groups do not divide a row."""
    layers = source.config.num_hidden_layers
    notes = {
        place_of(target.name): _note(target, plan.recipe, layers)
        for target in plan.targets
        if len(target.shape) > 1
    }
    return [*source.warnings, *(f"{name}: {note}" for name, note in notes.items() if note)]


def _note(target: Target, recipe: Recipe, layers: int) -> str:
    wanted = recipe.wanted(target.path, layers)
    if wanted is None or target.spec == wanted:
        return ""
    becomes = format_of(target)
    return (
        f"groups of {wanted.group_size} do not divide rows of {target.shape[-1]}: {becomes} instead"
    )
