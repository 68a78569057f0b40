"""A budget that sets itself stops where it should, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from qwen3_mlx.generation.auto import ABOUT_TO_CLOSE, AT_LIMIT, STABLE, AutoAllowance, Forced
from qwen3_mlx.generation.calibration import Calibration
from qwen3_mlx.generation.thinking import AutoBudget, ThinkingBudget

CALIBRATION = Calibration(certain=0.9, agree=2, every=4, brake=0.5, cap=64)
UNSURE = Forced((1, 2), (0.99, 0.4), 1.0)
SIX = Forced((6,), (0.95, 0.95), 0.1)
SEVEN = Forced((7,), (0.95, 0.95), 0.1)


@dataclass
class ScriptedEyes:
    """Sees the answers of a list, one a look, the last one for ever; counts the looks."""

    answers: Sequence[Forced] = (UNSURE,)
    margins: dict[int, float] = field(default_factory=dict)
    looks: int = 0
    used: int = 0

    def ends_sentence(self) -> bool:
        return self.used in self.margins

    def margin(self) -> float:
        return self.margins[self.used]

    def answer(self, floor: float) -> Forced:
        assert floor == CALIBRATION.certain
        self.looks += 1
        return self.answers[min(self.looks, len(self.answers)) - 1]


def thought(
    eyes: ScriptedEyes, parts: AutoBudget, limit: int = 16, calibration: Calibration = CALIBRATION
) -> tuple[int, AutoAllowance]:
    """Tokens after which the thinking is over."""
    allowance = AutoAllowance(ThinkingBudget(parts), calibration, limit, eyes)
    for used in range(1000):
        eyes.used = used
        if allowance.over(used):
            assert allowance.over(used) == "auto"  # asked twice, it looks once
            return used, allowance
    raise AssertionError("it thinks without end")


def test_two_certain_answers_that_agree_end_it() -> None:
    eyes = ScriptedEyes([UNSURE, SIX, SIX])
    used, allowance = thought(eyes, AutoBudget(extend=False))
    assert (used, allowance.why, eyes.looks) == (12, STABLE, 3)


def test_an_answer_that_changes_or_wavers_begins_anew() -> None:
    eyes = ScriptedEyes([SIX, SEVEN, UNSURE, SEVEN, SEVEN])
    used, allowance = thought(eyes, AutoBudget(extend=False), limit=64)
    assert (used, allowance.why) == (20, STABLE)


def test_the_limit_ends_it_when_the_answer_is_settled() -> None:
    used, allowance = thought(ScriptedEyes([UNSURE, UNSURE, SIX]), AutoBudget(check=False), 16)
    assert (used, allowance.why, allowance.extended) == (32, AT_LIMIT, True)
    used, allowance = thought(ScriptedEyes([SIX]), AutoBudget(check=False), 16)
    assert (used, allowance.why, allowance.extended) == (16, AT_LIMIT, False)


@pytest.mark.parametrize(
    ("limit", "extend", "used", "after"),
    [(16, True, 32, 32), (48, True, 64, 64), (64, True, 64, 64), (16, False, 16, 16)],
)
def test_a_moving_answer_extends_the_limit_once_and_never_past_the_cap(
    limit: int, extend: bool, used: int, after: int
) -> None:
    found, allowance = thought(ScriptedEyes(), AutoBudget(extend=extend), limit)
    assert (found, allowance.limit, allowance.why) == (used, after, AT_LIMIT)


def test_the_brake_works_at_the_ends_of_sentences_alone() -> None:
    eyes = ScriptedEyes(margins={5: 2.0, 9: 0.5})
    used, allowance = thought(eyes, AutoBudget(check=False))
    assert (used, allowance.why, eyes.looks) == (9, ABOUT_TO_CLOSE, 0)


@pytest.mark.parametrize("without", [AutoBudget(brake=False), AutoBudget()])
def test_a_part_that_is_switched_off_or_not_calibrated_does_nothing(without: AutoBudget) -> None:
    calibration = CALIBRATION if not without.brake else replace(CALIBRATION, brake=None)
    eyes = ScriptedEyes(margins={5: -9.0})
    used, _ = thought(eyes, replace(without, check=False, extend=False), 16, calibration)
    assert (used, eyes.looks) == (16, 0)


def test_a_person_who_turns_it_has_the_last_word() -> None:
    budget = ThinkingBudget("auto")
    allowance = AutoAllowance(budget, CALIBRATION, 16, ScriptedEyes())
    assert (allowance.over(3), allowance.limit) == (None, 16)
    budget.set(40)
    assert (allowance.over(16), allowance.over(39), allowance.over(40)) == (None, None, "budget")
    budget.set(None)
    assert (allowance.over(500), allowance.limit) == (None, None)
    budget.stop()
    assert allowance.over(500) == "user"


def test_a_stop_counts_while_it_sets_itself() -> None:
    budget = ThinkingBudget("auto")
    allowance = AutoAllowance(budget, CALIBRATION, 16, ScriptedEyes())
    budget.stop()
    assert allowance.over(1) == "user"
