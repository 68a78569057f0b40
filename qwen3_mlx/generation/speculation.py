"""Decoding with guesses: several tokens are checked in one pass, and the same ones come out.

Knows the model, its cache, a sampler and someone who guesses. Does not know thoughts, text or
messages.

Every token is chosen by the logits, and with the random numbers, that would have chosen it without
guesses; a guess only decides which logits are there already. So the tokens are the same, up to the
rounding of a product of several rows. Speculative decoding (arXiv 2211.17192), in the strict form
that keeps the tokens themselves and not only their distribution.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import perf_counter

import mlx.core as mx

from qwen3_mlx.generation.decode import queue, read, row, step
from qwen3_mlx.generation.drafting import Drafter
from qwen3_mlx.generation.pace import Pace
from qwen3_mlx.generation.sampling import Choice, Sampler, SamplerState
from qwen3_mlx.model.cache import KVCache, rewind
from qwen3_mlx.model.device import on_gpu
from qwen3_mlx.model.qwen3 import Qwen3


@dataclass(frozen=True, slots=True)
class Drafting:
    """How the replies of a model are guessed at.

    Attributes:
        make: Makes who guesses, one for each conversation.
        pace: Whether that pays, for this model on this machine.
    """

    make: Callable[[], Drafter]
    pace: Pace = field(default_factory=Pace)


@dataclass(slots=True)
class Pass:
    """What one pass of the model has made known.

    Attributes:
        choices: The choice after each id that it read, those not taken yet.
        guesses: What those ids were guessed to be followed by; one less than choices.
        drafted: How many guesses there were.
        accepted: How many of them were right so far.
        seconds: What it has cost so far.
        typical: Whether it costs what others will; the one that reads the prompt does not.
    """

    choices: deque[Choice]
    guesses: deque[int] = field(default_factory=deque)
    drafted: int = 0
    accepted: int = 0
    seconds: float = 0.0
    typical: bool = True


class Speculative:
    """Decodes with guesses where they pay; see :class:`~qwen3_mlx.generation.decode.Decoding`.

    Args:
        model: The one whose tokens are wanted.
        logits: [1, V] after the prompt.
        cache: Holds the prompt.
        state: The sampler's, before the first token.
        prompt: All ids of it.
        drafter: Who guesses.
        pace: Whether it pays; remembers what passes cost.
        clock: Seconds, from any start.

    Attributes:
        drafted: Tokens that were guessed.
        accepted: Those of them that were right.
    """

    def __init__(
        self,
        model: Qwen3,
        logits: mx.array,
        cache: Sequence[KVCache],
        sampler: Sampler,
        state: SamplerState,
        *,
        prompt: Sequence[int],
        drafter: Drafter,
        pace: Pace,
        clock: Callable[[], float] = perf_counter,
    ) -> None:
        self.drafted = 0
        self.accepted = 0
        self._model = model
        self._cache = cache
        self._sampler = sampler
        self._state = state
        self._ids = list(prompt)
        self._drafter = drafter
        self._pace = pace
        self._clock = clock
        self._pass = Pass(deque([sampler.choose(logits, state)]), typical=False)

    def token(self) -> int:
        """As :meth:`Decoding.token`; rejected guesses leave the cache."""
        begun, current = self._clock(), self._pass
        choice = current.choices.popleft()
        guess = current.guesses.popleft() if current.guesses else None
        following = self._step(choice) if guess is None and not self._pace.pays() else None
        token = read(choice)
        current.seconds += self._clock() - begun
        self._state = choice.state
        self._ids.append(token)
        if token == guess:
            current.accepted += 1
        else:
            self._conclude(current)
            self._pass = following or self._next(token, guess is None or self._pace.pays())
        return token

    def inject(self, ids: Sequence[int], after: Sequence[int]) -> None:
        """As :meth:`Decoding.inject`."""
        del self._ids[self._cache[0].offset :]
        self._ids += ids
        state = self._sampler.record(self._state, mx.array([*after, *ids]))
        logits = self._model.last_logits(row(ids), self._cache)
        self._pass = Pass(deque([self._sampler.choose(logits, state)]), typical=False)

    def _step(self, choice: Choice) -> Pass:
        """A pass without guesses, prepared while the choice before it is computed."""
        if not on_gpu():
            queue(choice)
        ahead = step(self._model, choice.token, self._cache, self._sampler, choice.state)
        return Pass(deque([queue(ahead) if on_gpu() else ahead]))

    def _next(self, token: int, guessing: bool) -> Pass:
        """Read `token`, the last of the ids, and guesses of what follows; only prepared so far."""
        begun = self._clock()
        rewind(self._cache, len(self._ids) - 1)
        draft = self._drafter.propose(self._ids) if guessing else []
        choices = self._choices([token, *draft], self._state)
        spent = self._clock() - begun
        return Pass(deque(choices), deque(draft), len(draft), seconds=spent)

    def _choices(self, ids: Sequence[int], state: SamplerState) -> list[Choice]:
        """The choice after each of the ids, should all before it be right."""
        if len(ids) == 1:
            logits = self._model.next_logits(mx.array(list(ids)), self._cache)[:, None]
        else:
            logits = self._model(row(ids), self._cache)
        options = self._sampler.options
        if options.greedy and not options.penalized:
            choices = self._best(ids, logits[0], state)
        else:
            choices = self._one_by_one(ids, logits, state)
        return [queue(choice) for choice in choices] if on_gpu() else choices

    def _best(self, ids: Sequence[int], logits: mx.array, state: SamplerState) -> list[Choice]:
        """The likeliest token after each id, of logits [L, V]: no choice changes another."""
        recorded = self._sampler.record(state, mx.array(list(ids)))
        best = self._sampler.choose(logits, recorded)
        return [best._replace(token=best.token[i : i + 1]) for i in range(len(ids))]

    def _one_by_one(
        self, ids: Sequence[int], logits: mx.array, state: SamplerState
    ) -> list[Choice]:
        """The choice after each id, of logits [1, L, V], each with what the one before left."""
        choices = []
        for position, token in enumerate(ids):
            recorded = self._sampler.record(state, mx.array([token]))
            choices.append(self._sampler.choose(logits[:, position], recorded))
            state = choices[-1].state
        return choices

    def _conclude(self, done: Pass) -> None:
        self.drafted += done.drafted
        self.accepted += done.accepted
        if done.typical:
            self._pace.add(done.seconds, drafted=done.drafted, accepted=done.accepted)
