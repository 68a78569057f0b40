"""The loop: a prompt through the model, then token after token.

Knows the model, its cache and a sampler; asks a `judge` what to make of each token. Does not know
thoughts, text or messages.

Whatever ends `stream` (its last token, `close`, an error, Ctrl-C), the cache then holds the prompt
and the tokens that were yielded, and nothing more.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Protocol, cast

import mlx.core as mx

from qwen3_mlx.errors import NonFiniteError
from qwen3_mlx.generation.sampling import Choice, Sampler, SamplerState
from qwen3_mlx.generation.steps import Judge, Part, TokenStep
from qwen3_mlx.memory.estimate import LARGEST_CHUNK
from qwen3_mlx.model.cache import KVCache, rewind
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.qwen3 import Qwen3

PREFILL_CHUNK = LARGEST_CHUNK


def prefill(
    model: Qwen3,
    ids: Sequence[int],
    cache: Sequence[KVCache],
    *,
    chunk: int = PREFILL_CHUNK,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> mx.array | None:
    """Append `ids` (at least one) to the cache, chunk by chunk.

    Whatever ends it early (an error, Ctrl-C, `cancelled`), the cache holds the chunks done so far.

    Args:
        progress: Called after each chunk with the number of ids done and of all.
        cancelled: Asked before each chunk.

    Returns:
        The logits [1, V] after the last id, or None when cancelled.
    """
    before = done = cache[0].offset
    output: mx.array | None = None
    try:
        for start in range(0, len(ids), chunk):
            if cancelled():
                return None
            part = row(ids[start : start + chunk])
            last = start + chunk >= len(ids)
            output = model.last_logits(part, cache) if last else model.advance(part, cache)
            mx.eval(output)
            done += part.size
            if progress:
                progress(done - before, len(ids))
    finally:
        rewind(cache, done)
    return output


def advance(model: Qwen3, ids: Sequence[int], cache: Sequence[KVCache]) -> None:
    """Append `ids` (at least one) to the cache in one go, or none of them; no logits."""
    held = cache[0].offset
    try:
        mx.eval(model.advance(row(ids), cache))
        held += len(ids)
    finally:
        rewind(cache, held)


def row(ids: Sequence[int]) -> mx.array:
    """Ids as one sequence, int [1, L]."""
    return mx.array([list(ids)])


def step(
    model: Qwen3, token: mx.array, cache: Sequence[KVCache], sampler: Sampler, state: SamplerState
) -> Choice:
    """Append `token` int [1] to the sequence and choose the next; nothing is computed yet."""
    logits = model.next_logits(token, cache)
    return sampler.choose(logits, sampler.record(state, token))


def queue(choice: Choice) -> Choice:
    """Start computing a choice, in the background on a GPU.

    The CPU backend returns from this only when most of it is done.
    """
    mx.async_eval(choice.token, choice.finite)  # type: ignore[no-untyped-call]
    return choice


def read(choice: Choice) -> int:
    """The chosen id, once it is there; errors as for `check_finite`."""
    token = cast(int, choice.token.item())
    check_finite(choice)
    return token


def check_finite(choice: Choice) -> None:
    """Refuse a choice that means nothing.

    Raises:
        NonFiniteError: the logits it was chosen by held NaN or infinity.
    """
    if not choice.finite.item():
        raise NonFiniteError(
            "the model computed numbers that are not finite (NaN or infinity)",
            hint="Its weights are damaged or too large for their number type: fetch it again,"
            " or load it with dtype float32.",
        )


class Decoding(Protocol):
    """Chooses the tokens of one reply, one after the other."""

    def token(self) -> int:
        """The next token; it is in the cache now.

        Raises:
            NonFiniteError: the model's numbers are not finite.
        """

    def inject(self, ids: Sequence[int], after: Sequence[int]) -> None:
        """Append `ids`, in place of whatever was to follow.

        Args:
            ids: At least one.
            after: The token chosen last, if it stays; the cache holds no more than that.
        """


class StepByStep:
    """Decodes token by token.

    On a GPU the next token is queued before the last one is read, elsewhere once it is asked for;
    where what follows is replaced, what was begun is forgotten.

    Args:
        logits: [1, V] after the prompt, as `prefill` returns them.
        state: The sampler's, before the first token.

    Attributes:
        logits: [1, V] that the next token is chosen by.
        last: The token chosen last; -1 before the first.
    """

    def __init__(
        self,
        model: Qwen3,
        logits: mx.array,
        cache: Sequence[KVCache],
        sampler: Sampler,
        state: SamplerState,
    ) -> None:
        self.logits = logits
        self.last = -1
        self._model = model
        self._cache = cache
        self._sampler = sampler
        self._state = state
        self._coming = _begun(sampler.choose(logits, state))

    def token(self) -> int:
        """As :meth:`Decoding.token`."""
        choice = self._coming if on_gpu() else queue(self._coming)
        state = self._sampler.record(choice.state, choice.token)
        self.logits = self._model.next_logits(choice.token, self._cache)
        self._coming = _begun(self._sampler.choose(self.logits, state))
        self._state = choice.state
        self.last = read(choice)
        return self.last

    def inject(self, ids: Sequence[int], after: Sequence[int]) -> None:
        """As :meth:`Decoding.inject`."""
        state = self._sampler.record(self._state, mx.array([*after, *ids]))
        self.logits = self._model.last_logits(row(ids), self._cache)
        self._coming = _begun(self._sampler.choose(self.logits, state))


def _begun(choice: Choice) -> Choice:
    return queue(choice) if on_gpu() else choice


def stream(
    decoding: Decoding, cache: Sequence[KVCache], judge: Judge
) -> Generator[TokenStep, None, None]:
    """The tokens after a prefilled prompt, chosen or injected, up to the one judged the last.

    Every token is in the cache when it is yielded.

    Args:
        decoding: Appends to `cache`.
        judge: Called once for each chosen token, in order.

    Raises:
        NonFiniteError: the model's numbers are not finite.
    """
    kept = cache[0].offset
    try:
        while True:
            token = decoding.token()
            verdict = judge(token)
            after = () if verdict.part is Part.DROPPED else (token,)
            if after:
                kept += 1
                yield TokenStep(token, verdict.part)
            if verdict.last:
                return
            if not verdict.inject:
                continue
            rewind(cache, kept)
            decoding.inject(verdict.inject, after)
            for token in verdict.inject:
                kept += 1
                yield TokenStep(token, Part.INJECTED)
    finally:
        rewind(cache, kept)
