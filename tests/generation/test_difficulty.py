"""What a prompt shows of how hard it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.generation.calibration import STEP, Calibration
from qwen3_mlx.generation.difficulty import Difficulty, difficulty


@pytest.mark.parametrize(
    ("question", "words", "numbers", "digits", "kind"),
    [
        ("What is 47 + 86 + 12?", 5, 3, 6, "calculate"),
        ("How many apples are left of 12?", 7, 1, 2, "how many"),
        ("Which is the largest: 4, 9 or 612?", 8, 3, 5, "compare"),
        ("Why is the sky blue?", 5, 0, 0, "prove"),
        ("Write a function that adds 1,234.5", 8, 1, 5, "code"),
        ("Hello there", 2, 0, 0, "other"),
        ("", 0, 0, 0, "other"),
    ],
)
def test_features(question: str, words: int, numbers: int, digits: int, kind: str) -> None:
    assert difficulty(question, 0.5) == Difficulty(words, numbers, digits, kind, 0.5)


def test_it_is_told_in_a_few_words() -> None:
    assert str(difficulty("4 + 5 + 6", 1.84)) == "3 numbers, entropy 1.8"
    assert str(difficulty("12 apples", 0.0)) == "1 number, entropy 0.0"
    assert str(difficulty("Hello", 0.25)) == "entropy 0.2"


def test_only_the_ends_of_a_long_message_count() -> None:
    pasted = "1 " * 100_000
    assert difficulty(pasted, 0.0).numbers == 4000
    assert difficulty("why? " + "x" * 9000 + " 12", 0.0).numbers == 1


def test_a_limit_is_the_sum_of_the_weights_in_whole_steps() -> None:
    weights = {"1": 10.0, "numbers": 5.0, "entropy": 2.0, "calculate": 1.0}
    calibration = Calibration(weights=weights, least=STEP, cap=100)
    # 10 + 3 * 5 + 1.5 * 2 + 1 = 29, and the next whole step is 32
    assert calibration.limit(difficulty("4 + 5 + 6", 1.5)) == 32


@given(st.text(), st.floats(0, 20), st.dictionaries(st.just("words"), st.floats(-1e6, 1e6)))
def test_a_limit_is_never_outside_its_bounds(
    question: str, entropy: float, weights: dict[str, float]
) -> None:
    calibration = Calibration(weights=weights, least=16, cap=512)
    limit = calibration.limit(difficulty(question, entropy))
    assert 16 <= limit <= 512
    assert limit % STEP == 0
