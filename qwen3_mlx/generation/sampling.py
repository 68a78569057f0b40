"""From logits to the next token: penalties, temperature, top-k, top-p, min-p.

Knows arrays of numbers and the options of sampling. Does not know the model, what any id means,
or what has been shown. All state is passed in and handed back; the global random state of MLX is
never touched. Shapes: B sequences, V entries of the vocabulary, K candidates.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple, cast

import mlx.core as mx

from qwen3_mlx.errors import UsageError, check_type, shown
from qwen3_mlx.model.device import on_gpu

SEED_LIMIT = 2**64
COLDEST = 1e-5  # below it only the most probable token is left, and the division overflows
HOTTEST = 1000.0  # from there on all tokens are alike, and infinity divided by infinity is near

_KINDS = {
    "temperature": float,
    "top_p": float,
    "top_k": int,
    "min_p": float,
    "presence_penalty": float,
    "repetition_penalty": float,
}


@dataclass(frozen=True, slots=True)
class SamplingOptions:
    """How the next token is chosen; the defaults choose the most probable one.

    The filters are applied in the order of Hugging Face and vLLM: penalties, temperature, top-k,
    top-p, min-p. `presence_penalty` looks at the reply alone, `repetition_penalty` at the prompt
    too. `top_k` 0, `top_p` 1, `min_p` 0 and `repetition_penalty` 1 do nothing.

    Raises:
        UsageError: a value outside its range, named.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            check_type(name, getattr(self, name), kind)
        if self.seed is not None:
            check_type("seed", self.seed, int)
        _require(
            0 <= self.temperature <= HOTTEST, "temperature", self.temperature, "from 0 to 1000"
        )
        _require(0 < self.top_p <= 1, "top_p", self.top_p, "above 0 and at most 1")
        _require(self.top_k >= 0, "top_k", self.top_k, "0 (off) or more")
        _require(0 <= self.min_p <= 1, "min_p", self.min_p, "from 0 to 1")
        _require(
            -2 <= self.presence_penalty <= 2,
            "presence_penalty",
            self.presence_penalty,
            "from -2 to 2",
        )
        _require(
            1e-6 <= self.repetition_penalty <= 1e6,
            "repetition_penalty",
            self.repetition_penalty,
            "from 0.000001 to 1000000",
        )
        _require(0 <= (self.seed or 0) < SEED_LIMIT, "seed", self.seed, "from 0 to 2^64 - 1")

    @property
    def greedy(self) -> bool:
        """Whether the most probable token is always taken."""
        return self.temperature < COLDEST

    @property
    def penalized(self) -> bool:
        """Whether the tokens seen so far matter."""
        return self.presence_penalty != 0 or self.repetition_penalty != 1


def _require(fits: bool, name: str, value: float | None, range_: str) -> None:
    if not fits:
        raise UsageError(
            f"{name} is {shown(value)}, which is out of range", hint=f"It must be {range_}."
        )


class Seen(NamedTuple):
    """Which ids occurred, bool [V] each."""

    prompt: mx.array
    reply: mx.array


@dataclass(frozen=True, slots=True)
class SamplerState:
    """What the next choice depends on besides the logits."""

    key: mx.array
    seen: Seen | None
    started: bool = False


class Choice(NamedTuple):
    """A chosen token, not yet computed: `token` int [B], `finite` bool [], and the state after."""

    token: mx.array
    finite: mx.array
    state: SamplerState


@dataclass(frozen=True, slots=True)
class Rule:
    """How a token is chosen, arrays in and arrays out.

    Attributes:
        vocab_size: Ids from here on are never chosen.
        forbidden: Nor are these.
    """

    options: SamplingOptions
    vocab_size: int
    forbidden: tuple[int, ...]

    def __call__(
        self, logits: mx.array, key: mx.array, seen: Seen | None
    ) -> tuple[mx.array, mx.array, mx.array]:
        """Logits [B, V] -> ids [B], whether all logits are finite [], and the next key."""
        scores = penalize(logits, self.options, seen)
        scores = mask_ids(scores, self.vocab_size, self.forbidden)
        key, now = (key, key) if self.options.greedy else mx.random.split(key)
        return pick(scores, self.options, now), mx.isfinite(logits).all(), key


@lru_cache(maxsize=64)
def compiled(rule: Rule) -> Rule:
    """The same rule as one graph, kept for the replies to come."""
    return cast(Rule, mx.compile(rule))


class Sampler:
    """Chooses tokens by options, within the ids that may be chosen at all.

    Args:
        options: How to choose.
        vocab_size: Ids from here on are padding of the model's table and never chosen.
        only_first: An id that may be the first token of the reply and no later one.
        forbidden: Ids that are never chosen.
    """

    def __init__(
        self,
        options: SamplingOptions,
        vocab_size: int,
        *,
        only_first: int | None = None,
        forbidden: Sequence[int] = (),
    ) -> None:
        self.options = options
        later = (*forbidden, *([] if only_first is None else [only_first]))
        self._first = Rule(replace(options, seed=None), vocab_size, tuple(forbidden))
        self._later = replace(self._first, forbidden=later)

    def start(self, prompt: Sequence[int], width: int) -> SamplerState:
        """The state before the first token; `width` is V, the last axis of the logits."""
        seed = secrets.randbelow(SEED_LIMIT) if self.options.seed is None else self.options.seed
        key = mx.random.key(seed)
        if not self.options.penalized:
            return SamplerState(key, None)
        nothing = mx.zeros(width, dtype=mx.bool_)
        return SamplerState(key, Seen(mark(nothing, mx.array(list(prompt))), nothing))

    def choose(self, logits: mx.array, state: SamplerState) -> Choice:
        """The next token for logits [B, V]."""
        rule = self.rule(state)
        choose = compiled(rule) if on_gpu() else rule
        token, finite, key = choose(logits, state.key, state.seen)
        return Choice(token, finite, replace(state, key=key))

    def rule(self, state: SamplerState) -> Rule:
        """How the next token is chosen, whatever it is chosen from."""
        return self._later if state.started else self._first

    def record(self, state: SamplerState, ids: mx.array) -> SamplerState:
        """The state after `ids` [n] became part of the reply."""
        seen = state.seen and Seen(state.seen.prompt, mark(state.seen.reply, ids))
        return replace(state, seen=seen, started=True)


def mark(seen: mx.array, ids: mx.array) -> mx.array:
    """Bool [V] with `ids` [n] set as well."""
    if ids.size == 0:
        return seen
    marked = mx.array(seen)
    marked[ids] = True
    return marked


def penalize(logits: mx.array, options: SamplingOptions, seen: Seen | None) -> mx.array:
    """Float32 logits [B, V], lowered for ids that were seen."""
    scores = logits.astype(mx.float32)
    if seen is None:
        return scores
    factor = options.repetition_penalty
    repeated = mx.where(scores > 0, scores / factor, scores * factor)
    scores = mx.where(seen.prompt | seen.reply, repeated, scores)
    return scores - options.presence_penalty * seen.reply


def mask_ids(logits: mx.array, vocab_size: int, forbidden: Sequence[int]) -> mx.array:
    """Logits [B, V] with -inf for ids >= `vocab_size` and for the `forbidden` ones."""
    ids = mx.arange(logits.shape[-1])
    allowed = ids < vocab_size
    for forbidden_id in forbidden:
        allowed = allowed & (ids != forbidden_id)
    return mx.where(allowed, logits, -mx.inf)


def pick(logits: mx.array, options: SamplingOptions, key: mx.array) -> mx.array:
    """One id per row [B] of masked float32 logits [B, V]."""
    if options.greedy:
        return mx.argmax(logits, axis=-1)
    shifted = logits - mx.max(logits, axis=-1, keepdims=True)
    scores, ids = candidates(shifted / options.temperature, options)
    column = mx.random.categorical(scores, key=key)[..., None]
    return column[..., 0] if ids is None else mx.take_along_axis(ids, column, axis=-1)[..., 0]


def candidates(logits: mx.array, options: SamplingOptions) -> tuple[mx.array, mx.array | None]:
    """Scores [B, K] of what may be sampled and their ids [B, K]; None where K = V, in place."""
    if options.top_k == 0 and options.top_p == 1:
        return keep_min_p(logits, options.min_p), None
    scores, ids = rank(logits, options.top_k)
    return keep_min_p(keep_top_p(scores, options.top_p), options.min_p), ids


def rank(logits: mx.array, top_k: int) -> tuple[mx.array, mx.array]:
    """The `top_k` largest logits (0: all), largest first, [B, K], and their ids [B, K]."""
    if 0 < top_k < logits.shape[-1]:
        ids = mx.argpartition(-logits, top_k - 1, axis=-1)[..., :top_k]
        order = mx.argsort(-mx.take_along_axis(logits, ids, axis=-1), axis=-1)
        ids = mx.take_along_axis(ids, order, axis=-1)
    else:
        ids = mx.argsort(-logits, axis=-1)
    return mx.take_along_axis(logits, ids, axis=-1), ids


def keep_top_p(ranked: mx.array, top_p: float) -> mx.array:
    """-inf for all but the fewest first entries [B, K] whose probabilities reach `top_p`."""
    if top_p == 1:
        return ranked
    probabilities = mx.softmax(ranked, axis=-1)
    before = mx.cumsum(probabilities, axis=-1) - probabilities
    return mx.where(before < top_p, ranked, -mx.inf)


def keep_min_p(logits: mx.array, min_p: float) -> mx.array:
    """-inf for entries [B, K] less probable than `min_p` times the most probable one."""
    if min_p == 0:
        return logits
    floor = mx.max(logits, axis=-1, keepdims=True) + math.log(min_p)
    return mx.where(logits >= floor, logits, -mx.inf)
