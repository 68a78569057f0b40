"""One run: how long the first token took, how long the others did, and how much memory.

Knows a clock that is handed in, and MLX's count of memory. Does not know who continues the ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import mlx.core as mx

Clock: TypeAlias = Callable[[], float]
"""Seconds, from any start."""

Continued: TypeAlias = Callable[[Sequence[int], int], Iterable[int]]
"""Ids and how many more -> the ids that follow, each as soon as it is there."""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run took.

    Attributes:
        prompt_tokens: That were read before the first token.
        tokens: That were generated.
        first_token_seconds: From the start to the first of them.
        decode_seconds: From there to the last.
        peak_memory_bytes: With the weights; None where MLX does not see it.
        ids: That were generated; empty where they were not asked for.
        drafted: Guesses at tokens.
        accepted: Guesses that were right.
    """

    prompt_tokens: int
    tokens: int
    first_token_seconds: float
    decode_seconds: float
    peak_memory_bytes: int | None = None
    ids: tuple[int, ...] = ()
    drafted: int = 0
    accepted: int = 0

    @property
    def prefill_rate(self) -> float:
        """Tokens a second of the prompt; the choice of the first token is in the time."""
        return _rate(self.prompt_tokens, self.first_token_seconds)

    @property
    def decode_rate(self) -> float:
        """Tokens a second after the first."""
        return _rate(self.tokens - 1, self.decode_seconds)


class Holding:
    """What MLX holds more than at this moment."""

    def __init__(self) -> None:
        self._before = mx.get_active_memory()

    def bytes(self) -> int:
        """What it is by now."""
        return mx.get_active_memory() - self._before


class Peak:
    """The most memory that is taken from now on, whoever else holds some of it.

    Args:
        held: Bytes that belong to what is measured and are there already.
    """

    def __init__(self, held: int) -> None:
        self._before = mx.get_active_memory() - held
        mx.reset_peak_memory()

    def bytes(self) -> int:
        """What it came to."""
        return mx.get_peak_memory() - self._before


def take_sample(
    continued: Continued, ids: Sequence[int], tokens: int, *, clock: Clock, held: int | None
) -> Sample:
    """Continue the ids once.

    Args:
        continued: Who continues them.
        ids: The prompt.
        tokens: How many to ask for; the sample says how many came.
        clock: Seconds, from any start.
        held: Bytes that it holds already; None where MLX does not see its memory.
    """
    peak = None if held is None else Peak(held)
    said: list[int] = []
    start = first = last = clock()
    for token in continued(ids, tokens):
        last = clock()
        first = first if said else last
        said.append(token)
    return Sample(
        prompt_tokens=len(ids),
        tokens=len(said),
        first_token_seconds=first - start,
        decode_seconds=last - first,
        peak_memory_bytes=None if peak is None else peak.bytes(),
        ids=tuple(said),
    )


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
