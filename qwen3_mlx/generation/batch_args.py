"""Arguments of which there may be one for all prompts of a batch, or one for each.

Knows lists and how long they must be. Does not know what the arguments mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, TypedDict, TypeVar

from qwen3_mlx.errors import UsageError

T = TypeVar("T")

Each: TypeAlias = T | Sequence[T]
"""One value, or a list or tuple with one for each prompt."""


class BatchSamplingArgs(TypedDict, total=False):
    """As :class:`~qwen3_mlx.generation.defaults.SamplingArgs`, for all prompts or each."""

    temp: Each[float | None]
    top_p: Each[float | None]
    top_k: Each[int | None]
    min_p: Each[float | None]
    presence_penalty: Each[float | None]
    repetition_penalty: Each[float | None]
    seed: Each[int | None]


def check_prompts(prompts: object) -> None:
    """Refuse what is no list of prompts.

    Raises:
        UsageError: one string, or nothing at all.
    """
    if not isinstance(prompts, Sequence) or isinstance(prompts, str | bytes):
        raise UsageError("the prompts of a batch are no list", hint="Put them into one.")
    if not prompts:
        raise UsageError("there are no prompts", hint="Give one or more.")


def for_each(count: int, values: Mapping[str, object]) -> list[dict[str, object]]:
    """The arguments of each of `count` prompts.

    Raises:
        UsageError: a list of another length, named.
    """
    spread = {name: _spread(count, name, value) for name, value in values.items()}
    return [{name: each[i] for name, each in spread.items()} for i in range(count)]


def _spread(count: int, name: str, value: object) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise UsageError(
            f"{name} has {len(value)} values for {count} prompts",
            hint="Give one value for all, or a list with one for each prompt.",
        )
    return value
