"""What a model does where a person says nothing: read from its small files, never its weights.

Knows which setting comes from which file. Does not know what a person said elsewhere, but for the
mode: a model may have other numbers for answering at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from qwen3_mlx.checkpoint.files import read_json
from qwen3_mlx.checkpoint.hub import resolve
from qwen3_mlx.cli.options import Settings
from qwen3_mlx.generation.defaults import Defaults, configured
from qwen3_mlx.loading import GENERATION_CONFIG, model_defaults
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.text.files import read_object_if_there
from qwen3_mlx.text.template import Family, load_template
from qwen3_mlx.text.tokenizer import load_tokenizer

CONFIG = "config.json"
SAMPLING = {"temp": "temperature", "top_p": "top_p", "top_k": "top_k", "min_p": "min_p"}
"""The settings of sampling, and what a model's files call them."""


@dataclass(frozen=True, slots=True)
class Unsaid:
    """The value of a setting, and the file it is from; None for what is built in."""

    value: object
    file: str | None = None


def unsaid(name: str, settings: Settings) -> dict[str, Unsaid]:
    """What the model `name` does of its own, by setting.

    Raises:
        ModelNotFoundError: it is not on this machine.
        ModelFileError: one of the files cannot be used.
    """
    source = resolve(name, offline=settings.offline)
    template = load_template(source.path, load_tokenizer(source.path))
    defaults = model_defaults(source, template)
    able = template.family != "instruct"
    return {
        "thinking": Unsaid(able),
        "budget": Unsaid(defaults.budget),
        "context": Unsaid(_context_length(source.path), CONFIG),
        **_sampling(source.path, defaults, template.family, thinking=able and _wanted(settings)),
    }


def _wanted(settings: Settings) -> bool:
    """Whether a person leaves the model its thinking."""
    none = settings.budget is not None and settings.budget.limit == 0
    return settings.thinks is not False and not none


def _context_length(folder: Path) -> int:
    return Qwen3Config.from_hf(read_json(folder / CONFIG)).context_length


def _sampling(
    folder: Path, defaults: Defaults, family: Family, *, thinking: bool
) -> dict[str, Unsaid]:
    config = read_object_if_there(folder / GENERATION_CONFIG)
    written = configured(config, family, thinking=thinking)
    used = defaults.sampling(thinking=thinking, chosen={})
    return {
        name: Unsaid(getattr(used, field), GENERATION_CONFIG if field in written else None)
        for name, field in SAMPLING.items()
    }
