"""A calibration is what would have served the observations best."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation.calibrate import Outcome, calibrate, needed, outcome
from qwen3_mlx.evaluation.observe import Look, Observation
from qwen3_mlx.generation.calibration import Calibration
from qwen3_mlx.generation.difficulty import Difficulty

START = Calibration(name="some", model="abc", cap=64, lead="So: ")
RIGHT, WRONG = (1,), (2,)


def observation(
    *looks: tuple[int, float, bool], tokens: int = 20, right: bool = True, numbers: int = 2
) -> Observation:
    """A task whose looks are (tokens used, certainty, right)."""
    seen = tuple(Look(used, RIGHT if ok else WRONG, sure, ok) for used, sure, ok in looks)
    return Observation(Difficulty(5, numbers, numbers, "other", 1.0), seen, tokens, right)


EASY = observation((0, 0.97, True), (10, 0.99, True))
HARD = observation((0, 0.6, False), (10, 0.5, False), (16, 0.96, True))
TRAP = observation((0, 0.94, False), (10, 0.94, False), tokens=20)


def rules(**values: float | int | None) -> Calibration:
    kept: dict[str, float | int | None] = {"skip": 1.1, "certain": 0.95, "agree": 1, "every": 2}
    return Calibration(**{**kept, **values})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("calibration", "expected"),
    [
        (rules(certain=1.0), Outcome(right=1, tokens=20, looks=3)),
        (rules(), Outcome(right=1, tokens=16, looks=3)),
        (rules(certain=0.5), Outcome(right=0, tokens=10, looks=2)),
        (rules(skip=0.6), Outcome(right=0, tokens=0, looks=1)),
        (rules(every=8), Outcome(right=1, tokens=16, looks=2)),
        (rules(agree=2), Outcome(right=1, tokens=20, looks=3)),
    ],
)
def test_what_a_calibration_would_have_come_to(calibration: Calibration, expected: Outcome) -> None:
    assert outcome([HARD], calibration) == expected


def test_a_brake_stops_at_the_end_of_a_sentence() -> None:
    looks = (Look(0, WRONG, 0.1, False), Look(7, RIGHT, 0.1, True, margin=1.0))
    seen = Observation(HARD.difficulty, looks, 20, right=True)
    assert outcome([seen], rules(brake=0.5)) == Outcome(1, 20, 1)
    assert outcome([seen], rules(brake=1.0)) == Outcome(1, 7, 1)


@pytest.mark.parametrize(
    ("seen", "tokens"),
    [
        (EASY, 0),
        (HARD, 16),
        (TRAP, 20),
        (observation((0, 0.5, True), (10, 0.5, False), (16, 0.5, True)), 16),
        (observation((0, 0.5, True), right=False), 20),
    ],
)
def test_how_much_thinking_was_needed(seen: Observation, tokens: int) -> None:
    assert needed(seen) == tokens


def test_the_fewest_tokens_that_lose_next_to_nothing() -> None:
    # From 0.97 on the easy ones are answered at once; from 0.94 on the traps would be lost.
    found = calibrate([EASY] * 60 + [HARD] * 30 + [TRAP] * 10, START, every=2)
    assert found.skip == 0.97
    assert (found.name, found.model, found.cap, found.lead) == ("some", "abc", 64, "So: ")
    result = outcome([EASY] * 60 + [HARD] * 30 + [TRAP] * 10, found)
    assert (result.right, result.tokens) == (100, 30 * 16 + 10 * 20)


def test_limits_are_long_enough_for_most_tasks() -> None:
    seen = [observation((0, 0.5, False), tokens=10 * n, numbers=n) for n in range(1, 9)] * 5
    found = calibrate(seen, replace(START, cap=128), every=2)
    enough = [found.limit(o.difficulty) >= needed(o) for o in seen]
    assert sum(enough) >= 0.98 * len(enough)
    assert found.limit(seen[0].difficulty) < found.limit(seen[7].difficulty)


def test_too_few_tasks_are_refused() -> None:
    with pytest.raises(UsageError, match="29 tasks are too few"):
        calibrate([EASY] * 29, START, every=2)
    with pytest.raises(UsageError, match="40 tasks, 0 of them"):
        calibrate([observation((0, 0.5, False), right=False)] * 40, START, every=2)
