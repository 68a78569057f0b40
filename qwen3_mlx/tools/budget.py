"""What is left of a thinking budget for the later steps of a tool chain.

Knows that the steps of a turn share one budget. Does not know what was thought.
"""

from __future__ import annotations

from qwen3_mlx.generation.thinking import Limit, ThinkingBudget


class StepBudget(ThinkingBudget):
    """A person's budget, less what the steps before have used of it.

    Turning it turns the whole. It conflicts with nothing: where there is no room for it, it
    shrinks.

    Args:
        whole: For the turn.
        used: Tokens that the steps before thought.
        over: Whether a person has ended the thinking of this turn: nothing is left then.
        chosen: What counts where the whole sets itself: it did so in the first step.
    """

    def __init__(self, whole: ThinkingBudget, *, used: int, over: bool, chosen: int | None) -> None:
        super().__init__(None, given=False)
        self._whole = whole
        self._used = used
        self._over = over
        self._chosen = chosen

    @property
    def limit(self) -> int | None:
        """Tokens that are left, or None for no end."""
        if self._over:
            return 0
        if self._whole.auto is None:
            self._chosen = self._whole.limit
        return None if self._chosen is None else max(0, self._chosen - self._used)

    @property
    def given(self) -> bool:
        """As no person chose what is left, no."""
        return False

    @property
    def stops(self) -> int:
        """How often the thinking of the turn was stopped."""
        return self._whole.stops

    def set(self, limit: Limit) -> None:
        """Change the limit of the turn."""
        self._whole.set(limit)

    def stop(self) -> None:
        """End the thinking of the turn."""
        self._whole.stop()
