"""Which value each setting has, and where it is from: flag, variable, file, the first that says it.

Knows the order of the places and what each is called. Does not know what a model does where none
of them says anything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from qwen3_mlx.cli.config import read_config
from qwen3_mlx.cli.options import ANSWERING, KINDS, LOADING, SHORT_FORMS, Settings
from qwen3_mlx.cli.spreading import spread
from qwen3_mlx.cli.stated import Stated, flag_name

VARIABLES = {name: f"QWEN3_MLX_{name.upper()}" for name in KINDS}
"""The variable of the environment for each setting."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What was asked for, wherever it was written.

    Attributes:
        settings: The values.
        origins: Where each setting is from that somebody wrote.
        flags: Those of them that are from the command line.
    """

    settings: Settings
    origins: Mapping[str, str]
    flags: frozenset[str]


def settle(flags: Mapping[str, object]) -> Settled:
    """The values of the settings: flags before variables before the configuration file.

    Args:
        flags: The values on the command line, None for a flag that was not given.

    Raises:
        UsageError: two flags contradict each other, or a value or the file cannot be used.
    """
    values = {name: value for name, value in flags.items() if value is not None}
    origins = {SHORT_FORMS.get(name, name): _flag(name, value) for name, value in values.items()}
    chosen = frozenset(origins)
    for stated in (*_environment(), *read_config()):
        if stated.name not in origins:
            values[stated.name] = stated.value()
            origins[stated.name] = stated.origin
    return Settled(Settings(**values), origins, chosen)  # type: ignore[arg-type]


def with_loading_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Spreads the first parameter, its `Settings`: those that say how a model is loaded."""
    return spread(command, lambda flags: settle(flags).settings, LOADING)


def with_answering_settings(command: Callable[..., None]) -> Callable[..., None]:
    """The same for the settings that matter where budgets are compared."""
    return spread(command, lambda flags: settle(flags).settings, ANSWERING)


def with_origins(command: Callable[..., None]) -> Callable[..., None]:
    """Spreads the first parameter of a command, a `Settled`, into options."""
    return spread(command, settle)


def _flag(name: str, value: object) -> str:
    return f"flag --{'no-' if value is False else ''}{flag_name(name)}"


def _environment() -> Iterator[Stated]:
    for name, variable in VARIABLES.items():
        text = os.environ.get(variable)
        if text:
            yield Stated(name, (text,), variable, variable, "Correct the variable or unset it.")
