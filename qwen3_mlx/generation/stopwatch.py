"""When things happened in one reply, by a clock that is handed in.

Knows moments and counts. Does not know what the tokens were.
"""

from __future__ import annotations

from collections.abc import Callable

from qwen3_mlx.events import Timing
from qwen3_mlx.generation.steps import Part


class Stopwatch:
    """Starts when it is made.

    Args:
        clock: Seconds, from any start.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._start = self._prefill_start = self._prefill_end = clock()
        self._first = self._last = 0.0
        self._read = 0
        self._sampled = 0

    def prefill_begins(self) -> None:
        """The model starts to read the prompt."""
        self._prefill_start = self._prefill_end = self._clock()

    def prefilled(self, tokens: int) -> None:
        """The model has read `tokens` of the prompt; the others were in its cache."""
        self._prefill_end = self._clock()
        self._read = tokens

    def token(self, part: Part) -> None:
        """A token has become part of the reply."""
        if part is Part.INJECTED:
            return
        self._last = self._clock()
        self._first = self._first if self._sampled else self._last
        self._sampled += 1

    def since_prefill(self) -> float:
        """Seconds since the prompt was read."""
        return self._clock() - self._prefill_end

    def timing(self, *, load_seconds: float, peak_memory_bytes: int) -> Timing:
        """All of it; the first token is not counted in the rate of those after it."""
        prefill = self._prefill_end - self._prefill_start
        decode = self._last - self._first
        return Timing(
            load_seconds=load_seconds,
            first_token_seconds=self._first - self._start if self._sampled else 0.0,
            prefill_seconds=prefill,
            decode_seconds=decode,
            prefill_tokens_per_second=_rate(self._read, prefill),
            decode_tokens_per_second=_rate(self._sampled - 1, decode),
            peak_memory_bytes=peak_memory_bytes,
        )


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
