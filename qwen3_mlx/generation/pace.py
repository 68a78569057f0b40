"""Whether guessing ahead pays, by what it has cost so far.

Knows seconds and tokens of passes with guesses and without. Does not know what the guesses were.
"""

from __future__ import annotations

from dataclasses import dataclass

PROBE = 4
"""Passes of a kind before it is judged."""

FORGET = 0.7
"""What the passes before count when a new one comes: a probe outweighs what was before it."""

RETRY_EVERY = 128
"""Passes after which the worse kind is probed again."""


@dataclass(slots=True)
class Cost:
    """What passes of one kind cost, the last ones most."""

    passes: int = 0
    seconds: float = 0.0
    tokens: float = 0.0

    def add(self, seconds: float, tokens: int) -> None:
        """One more pass; the first one, which makes ready what others find, does not count long."""
        kept = FORGET if self.passes > 1 else 0.0
        self.passes += 1
        self.seconds = kept * self.seconds + seconds
        self.tokens = kept * self.tokens + tokens

    @property
    def per_token(self) -> float:
        """Seconds a token; 0 before the first pass."""
        return self.seconds / self.tokens if self.tokens else 0.0


class Pace:
    """Decides, pass by pass, whether to guess; one for a model, all its replies together.

    Attributes:
        plain: Passes without a guess.
        guessing: Passes with one.
    """

    def __init__(self) -> None:
        self.plain = Cost()
        self.guessing = Cost()
        self._passes = 0

    def pays(self) -> bool:
        """Whether to guess in the next pass; both kinds are tried first, and again at times."""
        self._passes += 1
        if self.plain.passes < PROBE:
            return False
        if self.guessing.passes < PROBE:
            return True
        better = self.guessing.per_token < self.plain.per_token
        return better != (self._passes % RETRY_EVERY < PROBE)

    def add(self, seconds: float, *, drafted: int, accepted: int) -> None:
        """A pass is over: `accepted` of `drafted` guesses were right, and one token more came."""
        cost = self.guessing if drafted else self.plain
        cost.add(seconds, accepted + 1)
