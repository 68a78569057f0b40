"""A setting as somebody wrote it outside the command line: which one, what, and where.

Knows how a text becomes the setting's value: by the parser of its flag. Does not know which places
there are, nor which of them counts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import typer
from typer.main import get_command

from qwen3_mlx.cli.options import KINDS, refusal
from qwen3_mlx.cli.spreading import spread
from qwen3_mlx.errors import UsageError

_SWITCHED = {
    **dict.fromkeys(("on", "1", "true", "yes"), "--{}"),
    **dict.fromkeys(("off", "0", "false", "no"), "--no-{}"),
}


@dataclass(frozen=True, slots=True)
class Stated:
    """One setting in one place.

    Attributes:
        name: Of the setting.
        texts: What its flag would be given, once for each.
        origin: What a person calls the place.
        place: What stands before the message of an error.
        advice: What to do about a text that cannot be used.
    """

    name: str
    texts: tuple[str, ...]
    origin: str
    place: str
    advice: str

    def value(self) -> object:
        """The value that the flag would have with these texts.

        Raises:
            UsageError: the flag would not take it.
        """
        try:
            arguments = [*map(self._argument, self.texts)]
            given = _flags()(arguments, standalone_mode=False)
        except typer.BadParameter as error:
            raise self._refused(refusal(error)) from error
        return given[self.name]

    def _argument(self, text: str) -> str:
        flag = flag_name(self.name)
        if KINDS[self.name] is not bool:
            return f"--{flag}={text}"
        form = _SWITCHED.get(text.strip().lower())
        if form is None:
            raise self._refused(f"{text!r} is neither on nor off")
        return form.format(flag)

    def _refused(self, why: str) -> UsageError:
        return UsageError(f"{self.place}: {why.removesuffix('.')}", hint=self.advice)


def flag_name(setting: str) -> str:
    """The long name of the flag of a setting, without its dashes."""
    return setting.replace("_", "-")


@cache
def _flags() -> Callable[..., dict[str, object]]:
    """A command that takes the flags of all settings and returns their values."""
    app = typer.Typer(add_completion=False)
    app.command()(spread(_passed_on, dict))
    return get_command(app)


def _passed_on(values: dict[str, object]) -> dict[str, object]:
    return values
