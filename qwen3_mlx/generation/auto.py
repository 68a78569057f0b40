"""The budget that sets itself: how far one reply may think, decided while it does.

Knows a calibration and what it is shown of the model: its next word, and the answer it would give
now. Pure Python: how one looks at a model is not its business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from qwen3_mlx.events import StopThinking
from qwen3_mlx.generation.calibration import Calibration
from qwen3_mlx.generation.thinking import OwnAllowance, ThinkingBudget

STABLE = "answer stable"
ABOUT_TO_CLOSE = "about to close"
AT_LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class Forced:
    """An answer that was only looked at.

    Attributes:
        ids: Its tokens as far as it was followed.
        probabilities: Of each, and of the end if it came.
        entropy: Of its least certain token, in nats.
    """

    ids: tuple[int, ...]
    probabilities: tuple[float, ...]
    entropy: float

    @property
    def certainty(self) -> float:
        """The smallest of the probabilities."""
        return min(self.probabilities)


class Eyes(Protocol):
    """What can be seen of a model in the middle of its thoughts."""

    def ends_sentence(self) -> bool:
        """Whether the last token of thought ended a sentence or a line."""

    def margin(self) -> float:
        """How many nats `</think>` is behind the likeliest other token; below 0: ahead."""

    def answer(self, floor: float) -> Forced:
        """The answer it would give now, followed to its first token less probable than `floor`."""


class AutoAllowance(OwnAllowance):
    """What a budget that sets itself allows one reply; a person who turns it has the last word.

    Args:
        budget: Says which parts are at work; when it no longer sets itself, its limit holds.
        limit: Tokens chosen before.
        stops: As for `OwnAllowance`.

    Attributes:
        why: What ended the thinking, once something has.
        extended: Whether the limit was passed because the answer was still moving.
    """

    def __init__(
        self,
        budget: ThinkingBudget,
        calibration: Calibration,
        limit: int,
        eyes: Eyes,
        stops: int | None = None,
    ) -> None:
        super().__init__(budget, stops)
        self.extended = False
        self._chosen = limit
        self._calibration = calibration
        self._eyes = eyes
        self._looked_at = 0
        self._answer: tuple[int, ...] = ()
        self._agreeing = 0

    @property
    def limit(self) -> int | None:
        """As :attr:`Allowance.limit`."""
        return super().limit if self._budget.auto is None else self._chosen

    def over(self, used: int) -> StopThinking | None:
        """As :meth:`Allowance.over`; looks at the model, once for each number of tokens."""
        if self._budget.auto is None:
            return super().over(used)
        if self._stopped:
            return "user"
        if used > self._looked_at and not self.why:
            self._looked_at = used
            self.why = self._enough(used)
        return "auto" if self.why else None

    def _enough(self, used: int) -> str:
        """Why the thinking has gone far enough; nothing when it has not."""
        if self._brakes():
            return ABOUT_TO_CLOSE
        due = used % self._calibration.every == 0
        if due and self._checks and self._settled():
            return STABLE
        if used < self._chosen:
            return ""
        return AT_LIMIT if self._may_not_extend(checked=due and self._checks) else ""

    @property
    def _checks(self) -> bool:
        return self._budget.auto is not None and self._budget.auto.check

    def _brakes(self) -> bool:
        auto, brake = self._budget.auto, self._calibration.brake
        if auto is None or not auto.brake or brake is None:
            return False
        return self._eyes.ends_sentence() and self._eyes.margin() <= brake

    def _settled(self) -> bool:
        """Whether the answer of now, like those before it, is certain."""
        answer = self._eyes.answer(self._calibration.certain)
        if answer.certainty < self._calibration.certain:
            self._agreeing = 0
            return False
        self._agreeing = self._agreeing + 1 if answer.ids == self._answer else 1
        self._answer = answer.ids
        return self._agreeing >= self._calibration.agree

    def _may_not_extend(self, *, checked: bool) -> bool:
        """At the limit: go on once where the answer is still moving and there is room."""
        auto, cap = self._budget.auto, self._calibration.cap
        if auto is None or not auto.extend or self.extended or self._chosen >= cap:
            return True
        if not checked:
            self._settled()
        if self._agreeing:
            return True
        self.extended, self._chosen = True, min(cap, 2 * self._chosen)
        return False
