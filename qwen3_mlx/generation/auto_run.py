"""A budget that sets itself, from the prompt of one reply to the account of it.

Knows how the parts play together: a look at the answer without a thought, a limit, an allowance.
"""

from __future__ import annotations

from qwen3_mlx.events import AutoReport, BudgetChosen
from qwen3_mlx.generation.auto import AutoAllowance, Forced
from qwen3_mlx.generation.calibration import Calibration
from qwen3_mlx.generation.difficulty import difficulty
from qwen3_mlx.generation.sight import Sight
from qwen3_mlx.generation.thinking import AutoBudget, ThinkingBudget
from qwen3_mlx.text.renderer import Block

CERTAIN_AT_ONCE = "answer certain without thinking"


class AutoRun:
    """A budget that sets itself, in one reply.

    Args:
        question: What was said last.
        block: How the prompt, which has been read, leaves the thinking block.
        stops: How often the budget had been stopped when the reply began.

    Attributes:
        chosen: How far to think, chosen from the prompt; 0 for not at all.
        allowance: What it allows while the model thinks.
    """

    def __init__(
        self,
        budget: ThinkingBudget,
        calibration: Calibration,
        sight: Sight,
        question: str,
        block: Block,
        stops: int,
    ) -> None:
        auto = budget.auto or AutoBudget()
        self.sight = sight
        self.chosen = BudgetChosen(calibration.cap, "the cap")
        if auto.before:
            self.chosen = _choose(calibration, question, sight.at_once(block))
        self.allowance = AutoAllowance(budget, calibration, self.chosen.limit, sight, stops)

    def report(self, thinking_tokens: int) -> AutoReport:
        """What it did so far."""
        allowance = self.allowance
        extended = allowance.limit if allowance.extended else None
        return AutoReport(self.chosen, thinking_tokens, allowance.why, extended)


def _choose(calibration: Calibration, question: str, at_once: Forced) -> BudgetChosen:
    hard = difficulty(question, at_once.entropy)
    if at_once.certainty >= calibration.skip:
        return BudgetChosen(0, f"{hard}: {CERTAIN_AT_ONCE}")
    return BudgetChosen(calibration.limit(hard), str(hard))
