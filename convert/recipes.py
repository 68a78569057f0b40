"""Recipes: how many bits each kind of weight gets.

Knows recipe names, patterns of module names and group sizes. Does not know which tensors there
are, and rounds nothing. Files with recipes of a person's own: :mod:`qwen3_mlx.convert.recipe_file`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import mlx.core as mx

from qwen3_mlx.checkpoint.quantization import GROUP_SIZES, QuantSpec
from qwen3_mlx.errors import UsageError

AFFINE_GROUP_SIZES = tuple(sorted(GROUP_SIZES["affine"], reverse=True))
DEFAULT_GROUP_SIZE = 64
LAYER = re.compile(r"(model\.layers\.)(\d+)(\..*)")


@dataclass(frozen=True)
class Rule:
    """How the modules are quantized whose names match a pattern.

    Attributes:
        pattern: As in file names: `*` stands for anything. A layer may be counted from the end:
            `model.layers.-1.*` is the last one.
        spec: None leaves a weight whole.
    """

    pattern: str
    spec: QuantSpec | None

    def matches(self, path: str, layers: int) -> bool:
        """Whether the module at `path`, of a network with so many layers, is meant."""
        names = (path, _from_the_end(path, layers))
        return any(fnmatchcase(name, self.pattern) for name in names)


@dataclass(frozen=True)
class Recipe:
    """What becomes of the weights of linear layers, embeddings and experts.

    Attributes:
        rules: The first that matches a module decides; a module that none matches stays whole.
        dtype: What whole numbers and scales are cast to; None keeps them as they are.
    """

    name: str
    rules: tuple[Rule, ...] = ()
    dtype: mx.Dtype | None = None

    @property
    def default(self) -> QuantSpec | None:
        """How a weight is quantized that nothing else is said about."""
        return self.rules[-1].spec if self.rules else None

    def wanted(self, path: str, layers: int) -> QuantSpec | None:
        """What the recipe asks for the module at `path`, whatever the width of its rows."""
        return next((rule.spec for rule in self.rules if rule.matches(path, layers)), None)

    def spec(self, path: str, width: int, layers: int) -> QuantSpec | None:
        """How the weight of the module at `path` is quantized, or None to leave it whole.

        Args:
            path: The module's name, such as `model.layers.0.mlp.gate`.
            width: Length of a row; the groups are made smaller if theirs does not divide it.
            layers: How many layers the network has.
        """
        wanted = self.wanted(path, layers)
        return None if wanted is None else _fitted(wanted, width)


def _from_the_end(path: str, layers: int) -> str:
    """`model.layers.27.mlp` as `model.layers.-1.mlp`, of 28 layers."""
    parts = LAYER.fullmatch(path)
    return f"{parts[1]}{int(parts[2]) - layers}{parts[3]}" if parts else path


def _fitted(spec: QuantSpec, width: int) -> QuantSpec | None:
    sizes = sorted(GROUP_SIZES[spec.mode], reverse=True)
    fitting = (size for size in sizes if size <= spec.group_size and width % size == 0)
    group_size = next(fitting, None)
    return None if group_size is None else replace(spec, group_size=group_size)


def _affine(bits: int) -> QuantSpec:
    return QuantSpec("affine", bits, DEFAULT_GROUP_SIZE)


def _mixed(bits: int) -> tuple[Rule, ...]:
    """4 bits for the experts (or the dense MLP) of inner layers, more for all that is small."""
    small = ("*.self_attn.*", "model.embed_tokens", "lm_head", "model.layers.0.*")
    return (*(Rule(pattern, _affine(bits)) for pattern in (*small, "model.layers.-1.*")), FOUR)


# Which experts a token goes to is decided by small differences.
ROUTER = Rule("*.mlp.gate", _affine(8))
FOUR = Rule("*", _affine(4))
RECIPES = {
    "bf16": Recipe("bf16", dtype=mx.bfloat16),
    "8bit": Recipe("8bit", (ROUTER, Rule("*", _affine(8)))),
    "4bit": Recipe("4bit", (ROUTER, FOUR)),
    "mxfp4": Recipe("mxfp4", (ROUTER, Rule("*", QuantSpec("mxfp4", 4, 32)))),
    "mixed-4-6": Recipe("mixed-4-6", (ROUTER, *_mixed(6))),
    "mixed-4-8": Recipe("mixed-4-8", (ROUTER, *_mixed(8))),
}


def find_recipe(name: str, group_size: int | None = None) -> Recipe:
    """The recipe of that name, with another group size if one is given.

    Raises:
        UsageError: There is no such recipe, or it has no such group size.
    """
    if name not in RECIPES:
        raise UsageError(
            f"there is no recipe {name!r}",
            hint=f"Recipes: {', '.join(RECIPES)}, or a file that ends in .toml.",
        )
    recipe = RECIPES[name]
    return recipe if group_size is None else _regrouped(recipe, group_size)


def _regrouped(recipe: Recipe, group_size: int) -> Recipe:
    if recipe.default is not None and recipe.default.mode != "affine":
        raise UsageError(f"the recipe {recipe.name} has its own group size, which cannot change")
    if group_size not in AFFINE_GROUP_SIZES:
        raise UsageError(
            f"a group size of {group_size} is not possible",
            hint=f"Group sizes: {', '.join(map(str, sorted(AFFINE_GROUP_SIZES)))}.",
        )
    return replace(recipe, rules=_with_group_size(recipe.rules, group_size))


def _with_group_size(rules: Sequence[Rule], group_size: int) -> tuple[Rule, ...]:
    return tuple(
        replace(rule, spec=replace(rule.spec, group_size=group_size) if rule.spec else None)
        for rule in rules
    )
