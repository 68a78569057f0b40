"""`qwen3-mlx config show`: what holds for each setting, and where it is from.

Knows how settings are shown. Where they come from is the business of `origins` and `unsaid`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from qwen3_mlx.cli.filter import clean_line, escaped_json
from qwen3_mlx.cli.loading import model_name
from qwen3_mlx.cli.options import KINDS, Settings
from qwen3_mlx.cli.origins import Settled
from qwen3_mlx.cli.tables import columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.unsaid import SAMPLING, Unsaid, unsaid
from qwen3_mlx.errors import ModelFileError, ModelNotFoundError
from qwen3_mlx.generation.defaults import BUDGET

BUILT_IN = "built in"
OF_THE_MODEL = ("thinking", "context", *SAMPLING)
"""The settings that a model's files say something about: without them, None is not known."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table."""

    name: str
    value: object
    origin: str


def run(settled: Settled, terminal: Terminal, *, with_origin: bool, as_json: bool) -> None:
    """Prints every setting.

    Args:
        settled: What a person asked for.
        terminal: Where to.
        with_origin: Whether to say where each setting is from.
        as_json: Whether to print one JSON object instead of a table.
    """
    found = _found(settled, terminal)
    if as_json:
        terminal.data(_object(found, with_origin=with_origin))
        return
    head = ("SETTING", "VALUE", "ORIGIN")
    rows = [(one.name, _shown(one), clean_line(one.origin)) for one in found]
    width = 3 if with_origin else 2
    for line in columns(head[:width], [row[:width] for row in rows], terminal.columns):
        terminal.data(line)


def _found(settled: Settled, terminal: Terminal) -> list[Setting]:
    model = model_name(settled.settings)
    own = _own(model, settled.settings, terminal)
    return [_setting(name, settled, own, model) for name in KINDS]


def _own(model: str, settings: Settings, terminal: Terminal) -> dict[str, Unsaid]:
    """What the model does of its own; what cannot be known without its files is said to be so."""
    try:
        return unsaid(model, settings)
    except (ModelNotFoundError, ModelFileError) as error:
        terminal.aside(error.message)
        return {"budget": Unsaid(BUDGET), **dict.fromkeys(OF_THE_MODEL, Unsaid(None, "files"))}


def _setting(name: str, settled: Settled, own: dict[str, Unsaid], model: str) -> Setting:
    if name in settled.origins:
        return Setting(name, _value(name, settled.settings), settled.origins[name])
    if name not in own:
        return Setting(name, _value(name, settled.settings), BUILT_IN)
    file = own[name].file
    return Setting(name, own[name].value, f"{file} of {model}" if file else BUILT_IN)


def _value(name: str, settings: Settings) -> object:
    if name == "model":
        return model_name(settings)
    if name == "thinking":
        return settings.thinks
    if name == "budget":
        limit = settings.budget and settings.budget.limit
        return limit if limit is None or isinstance(limit, int) else str(limit)
    return getattr(settings, name)


def _shown(setting: Setting) -> str:
    value = setting.value
    if value is None:
        return "unknown" if setting.name in OF_THE_MODEL else "none"
    if isinstance(value, list):
        value = ", ".join(value)
    if isinstance(value, bool):
        return "on" if value else "off"
    return clean_line(str(value))


def _object(found: list[Setting], *, with_origin: bool) -> str:
    values = {
        one.name: {"value": one.value, "origin": one.origin} if with_origin else one.value
        for one in found
    }
    return escaped_json(json.dumps(values, ensure_ascii=False, indent=2))
