"""What a model uses where a person says nothing: its budget, and sampling by mode.

Knows Qwen3's published values and `generation_config.json`. Does not read files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypedDict

from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.generation.sampling import SamplingOptions
from qwen3_mlx.text.template import Family

THINKING = SamplingOptions(temperature=0.6, top_p=0.95, top_k=20)
ANSWERING = SamplingOptions(temperature=0.7, top_p=0.8, top_k=20)
"""The values of Qwen3's model cards."""

BUDGET = 4096

CONFIG_FIELDS = {
    "temperature": (int, float),
    "top_p": (int, float),
    "top_k": (int,),
    "min_p": (int, float),
    "presence_penalty": (int, float),
    "repetition_penalty": (int, float),
}


class SamplingArgs(TypedDict, total=False):
    """What a caller may choose about sampling, under the command line's names; None: default."""

    temp: float | None
    top_p: float | None
    top_k: int | None
    min_p: float | None
    presence_penalty: float | None
    repetition_penalty: float | None
    seed: int | None


@dataclass(frozen=True, slots=True)
class Defaults:
    """One model's defaults.

    Attributes:
        budget: Tokens of thought, None for no end.
        thinking: Sampling of a reply that may think.
        answering: Sampling of one that may not.
    """

    budget: int | None = BUDGET
    thinking: SamplingOptions = THINKING
    answering: SamplingOptions = ANSWERING

    def sampling(self, *, thinking: bool, chosen: SamplingArgs) -> SamplingOptions:
        """The options of one reply: what was chosen over the mode's defaults.

        Raises:
            UsageError: a chosen value is out of range.
        """
        named = {"temperature" if key == "temp" else key: value for key, value in chosen.items()}
        given = {key: value for key, value in named.items() if value is not None}
        return replace(self.thinking if thinking else self.answering, **given)  # type: ignore[arg-type]

    def warning(self, *, thinking: bool, chosen: SamplingArgs) -> str | None:
        """What a person should know about their choice, if there is something."""
        options = self.sampling(thinking=thinking, chosen=chosen)
        if thinking and options.greedy and not self.thinking.greedy:
            return (
                "temperature 0 makes Qwen3 repeat itself while it thinks;"
                f" {self.thinking.temperature} is the value it was tuned for"
            )
        return None


def read_defaults(config: Mapping[str, object], family: Family, *, budget: int | None) -> Defaults:
    """A model's defaults, from its parsed `generation_config.json`.

    Raises:
        ModelFileError: a value of the wrong type or out of range, named.
    """
    thinking = configured(config, family, thinking=True)
    answering = configured(config, family, thinking=False)
    return Defaults(budget, _over(THINKING, thinking), _over(ANSWERING, answering))


def configured(
    config: Mapping[str, object], family: Family, *, thinking: bool
) -> dict[str, object]:
    """What a parsed `generation_config.json` says about the sampling of one mode.

    A hybrid's file carries the values of thinking, so it leaves the other mode alone. With
    `do_sample` false both modes are greedy.

    Raises:
        ModelFileError: a value of the wrong type, named.
    """
    if _field(config, "do_sample", (bool,)) is False:
        return {name: getattr(SamplingOptions(), name) for name in CONFIG_FIELDS}
    if not thinking and family != "instruct":
        return {}
    values = {name: _field(config, name, kinds) for name, kinds in CONFIG_FIELDS.items()}
    return {name: value for name, value in values.items() if value is not None}


def _over(options: SamplingOptions, values: Mapping[str, object]) -> SamplingOptions:
    try:
        return replace(options, **values)  # type: ignore[arg-type]
    except UsageError as error:
        raise ModelFileError(f"generation_config.json: {error.message}") from error


def _field(config: Mapping[str, object], name: str, kinds: tuple[type, ...]) -> object:
    value = config.get(name)
    if value is None or type(value) in kinds:
        return value
    raise ModelFileError(f"generation_config.json: {name} is {value!r:.40}")
