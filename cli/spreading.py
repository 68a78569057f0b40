"""A command that takes many settings as one value, made to look to Typer as if it took each.

Knows the signature of the settings. Does not know what they mean.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import TypeVar, get_type_hints

from qwen3_mlx.cli.options import Settings

Result = TypeVar("Result")


def spread(
    command: Callable[..., Result],
    made: Callable[[dict[str, object]], object],
    names: Collection[str] | None = None,
) -> Callable[..., Result]:
    """Spreads the first parameter of a command into the options of the settings.

    Args:
        command: Gets for it what `made` returns, and its other parameters as they are.
        made: Gets the values of the options by name, None for each that was not given.
        names: Of the settings whose options the command takes; None: all.
    """
    common = [
        parameter.replace(default=None)
        for name, parameter in inspect.signature(Settings).parameters.items()
        if names is None or name in names
    ]
    own = list(inspect.signature(command).parameters.values())[1:]
    types = get_type_hints(Settings, include_extras=True)
    types |= get_type_hints(command, include_extras=True)

    @functools.wraps(command)
    def spreading(**values: object) -> Result:
        given = {parameter.name: values.pop(parameter.name) for parameter in common}
        return command(made(given), **values)

    parameters = [
        parameter.replace(annotation=types[parameter.name], kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in (*own, *common)
    ]
    spreading.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    spreading.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return spreading
