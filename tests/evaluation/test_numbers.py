"""Numbers in answers, read as a person would."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.evaluation.numbers import MAX_DIGITS, as_number, last_number

NUMBERS = st.integers(-(10**30), 10**30)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("72", 72),
        ("1,234,567", 1234567),
        ("-3", -3),
        ("−3", -3),
        ("+3", 3),
        ("0.50", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("3/4", Fraction(3, 4)),
        ("-3/4", Fraction(-3, 4)),
        ("\\frac{3}{4}", Fraction(3, 4)),
        ("\\dfrac{3}{4}", Fraction(3, 4)),
        ("1{,}000", 1000),
        ("10\\,000", 10000),
        ("$5", 5),
        ("-$5", -5),
        ("\\$5", 5),
        ("5%", 5),
        ("5\\%", 5),
        (" 5 ", 5),
        ("007", 7),
    ],
)
def test_a_number_however_it_is_written(text: str, value: Fraction) -> None:
    assert as_number(text) == value
    assert last_number(f"2 and then {text}.") == value


@pytest.mark.parametrize(
    "text", ["", "five", "1 2", "3,4", "1/0", "12,34", "5 apples", "1.2.3", "9" * (MAX_DIGITS + 1)]
)
def test_what_is_no_number(text: str) -> None:
    assert as_number(text) is None


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("512-347=165", 165),
        ("it is 512-347", 347),
        ("(12)-3", 3),
        ("it is -347", -347),
        ("between 3–5", 5),
        ("3,4", 4),
        ("He has 7 apples.", 7),
        ("The answer is 25.\n", 25),
        ("on 1/2/2024", 2024),
        ("1/0", None),
        ("none at all", None),
        ("٣", None),
    ],
)
def test_the_last_number_of_a_text(text: str, value: int | None) -> None:
    assert last_number(text) == value


@given(NUMBERS)
def test_thousands_change_nothing(number: int) -> None:
    assert as_number(f"{number:,}") == as_number(str(number)) == number


@given(NUMBERS, st.integers(1, 10**6))
def test_fractions_are_exact(number: int, denominator: int) -> None:
    assert as_number(f"{number}/{denominator}") == Fraction(number, denominator)


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, max_value=10**9, min_value=0))
def test_decimals_are_exact(number: object) -> None:
    assert as_number(str(number)) == Fraction(str(number))


@given(st.text())
def test_no_text_is_too_strange(text: str) -> None:
    last_number(text)
    as_number(text)
