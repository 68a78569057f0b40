"""Recipes that a person wrote: a TOML file of patterns, and what they come to.

    "*.mlp.gate" = { bits = 8 }
    "model.layers.-1.*" = false
    "*" = { mode = "affine", bits = 4, group_size = 64 }

Knows the file's format. Does not know which modules there are.
"""

from __future__ import annotations

import tomllib
from os import PathLike, fspath
from pathlib import Path

from qwen3_mlx.checkpoint.quantization import BITS, GROUP_SIZES, Mode, QuantSpec
from qwen3_mlx.convert.recipes import Recipe, Rule, find_recipe
from qwen3_mlx.errors import UsageError, shown

FIELDS = {"mode", "bits", "group_size"}
LAST = "*"
MOST_BYTES = 2**20


def choose_recipe(name: str | PathLike[str], group_size: int | None = None) -> Recipe:
    """The recipe of that name, or in that file if the name ends in `.toml`.

    Raises:
        UsageError: There is no such recipe, or it has no such group size.
    """
    if not fspath(name).endswith(".toml"):
        return find_recipe(fspath(name), group_size)
    if group_size is not None:
        raise UsageError(
            f"the recipe {name} says its group sizes itself", hint="Leave out --group-size."
        )
    return read_recipe(Path(name).expanduser())


def read_recipe(path: Path) -> Recipe:
    """The recipe in a TOML file, named after the file.

    Each line has a pattern of module names and either `false`, which leaves a weight whole, or a
    table with `mode`, `bits` and `group_size`; what is left out is what MLX uses for the mode.
    The first pattern that matches decides; the last one must be `*`.

    Raises:
        UsageError: The file cannot be read or says something else.
    """
    try:
        lines = tomllib.loads(_read(path))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"the recipe {path} cannot be read: {error}") from error
    if list(lines)[-1:] != [LAST]:
        raise UsageError(
            f'the recipe {path} does not end with the pattern "*"',
            hint='Say what becomes of the rest: "*" = { bits = 4 }, or "*" = false.',
        )
    return Recipe(path.stem, tuple(_rule(path, name, value) for name, value in lines.items()))


def _read(path: Path) -> str:
    """Its text.

    Raises:
        ValueError: It is none, or larger than any recipe.
    """
    with path.open("rb") as file:
        data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise ValueError("it is larger than 1 MiB")
    return data.decode("utf-8").replace("\r\n", "\n")


def _rule(path: Path, pattern: str, value: object) -> Rule:
    if value is False:
        return Rule(pattern, None)
    if not isinstance(value, dict) or not value.keys() <= FIELDS:
        raise UsageError(
            f"the recipe {path}: {shown(pattern)} is {shown(value)}",
            hint="Give false, or a table of mode, bits and group_size.",
        )
    mode = _mode(path, pattern, value.get("mode", "affine"))
    bits = _choice(path, pattern, "bits", value, BITS[mode])
    return Rule(
        pattern,
        QuantSpec(mode, bits, _choice(path, pattern, "group_size", value, GROUP_SIZES[mode])),
    )


def _mode(path: Path, pattern: str, value: object) -> Mode:
    for mode in BITS:
        if mode == value:
            return mode
    raise _impossible(path, pattern, "mode", value, tuple(BITS))


def _choice(
    path: Path, pattern: str, name: str, values: dict[str, object], choices: tuple[int, ...]
) -> int:
    value = values.get(name, choices[0])
    if type(value) is not int or value not in choices:
        raise _impossible(path, pattern, name, value, tuple(sorted(choices)))
    return value


def _impossible(
    path: Path, pattern: str, name: str, value: object, choices: tuple[object, ...]
) -> UsageError:
    return UsageError(
        f"the recipe {path}: {shown(pattern)} has the {name} {shown(value)}",
        hint=f"Possible: {', '.join(map(str, choices))}.",
    )
