"""The calculator: values worked out by hand, a naive second implementation, and refusals."""

from __future__ import annotations

import contextlib
import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ToolError
from qwen3_mlx.tools.arithmetic import shown
from qwen3_mlx.tools.calculator import CALCULATOR, calculate
from qwen3_mlx.tools.expression import MAX_DEPTH, evaluate


def test_its_description_is_the_one_that_the_bundled_model_learned() -> None:
    assert json.dumps(CALCULATOR.schema) == (
        '{"type": "function", "function": {"name": "calculator", '
        '"description": "Work out an arithmetic expression.", '
        '"parameters": {"type": "object", "properties": {"expression": {"type": "string", '
        '"description": "Numbers with + - * / ** and brackets."}}, "required": ["expression"]}}}'
    )


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("347*582", "201954"),
        (" 12 + 7 ", "19"),
        ("2+3*4", "14"),
        ("(2+3)*4", "20"),
        ("10-4-3", "3"),
        ("100/5/2", "10"),
        ("-2**2", "-4"),
        ("2**-1", "0.5"),
        ("2**3**2", "512"),
        ("2^10", "1024"),
        ("2*-3", "-6"),
        ("-(-3)", "3"),
        ("+4", "4"),
        ("3 × 4 ÷ 5 − 1", "1.4"),
        ("7//2", "3"),
        ("-7//2", "-4"),
        ("-7%3", "2"),
        ("7.5%2", "1.5"),
        ("0**0", "1"),
        ("1.5e3", "1500"),
        (".5+5.", "5.5"),
        ("2**100", "1267650600228229401496703205376"),
        ("0.1+0.2", "0.3"),
        ("1.10*3", "3.3"),
        ("10/4", "2.5"),
        ("12/4", "3"),
        ("1/1024", "0.0009765625"),
        ("1/3", "0.333333333333333"),
        ("2/3", "0.666666666666667"),
        ("1/3*3", "1"),
        ("123456789012345678.5+1", "123456789012345679.5"),
        ("10**20/7", "1.42857142857143e+19"),
        ("1/10**50", "1e-50"),
        ("sqrt(16/9)*3", "4"),
        ("sqrt(2)", "1.4142135623731"),
        ("sqrt(2)**2", "2"),
        ("8**(1/3)", "2"),
        ("2*pi", "6.28318530717959"),
        ("ABS(-3)", "3"),
        ("round(2.5)", "3"),
        ("round(-2.5)", "-3"),
        ("round(2.675, 2)", "2.68"),
        ("round(1234, -2)", "1200"),
        ("min(3, 1, 2)+max(4, 5)", "6"),
    ],
)
def test_values(expression: str, value: str) -> None:
    assert CALCULATOR.call({"expression": expression}) == value


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("", "there is the end where a number should be"),
        ("1+", "there is the end where a number should be"),
        ("2 3", "there is '3' at character 3 where an operator should be"),
        ("*2", "there is '*' at character 1 where a number should be"),
        ("(1+2", "there is the end where a bracket that closes the one at character 1 should be"),
        ("1+2)", "there is ')' at character 4 where an operator should be"),
        ("1,234*2", "there is ',' at character 2; write numbers without commas"),
        ("2+a", "unknown name 'a' at character 3; known are sqrt, abs, round, min, max, pi"),
        ("sqrt 4", "there is '4' at character 6 where a bracket after sqrt should be"),
        ("sqrt(1, 2)", "sqrt at character 1 does not take 2 values"),
        ("1.2.3", "'1' at character 1 cannot be read"),
        ("2+#", "'#' at character 3 cannot be read"),
        ("__import__(1)", "unknown name '__import__' at character 1"),
        ("1/0", "division by zero"),
        ("1//(2-2)", "division by zero"),
        ("1%0", "division by zero"),
        ("0**-1", "division by zero"),
        ("sqrt(-1)", "the square root of a negative number is no real number"),
        ("(-8)**(1/3)", "a negative number to a power that is not whole is no real number"),
        ("round(1, 0.5)", "round takes a whole number of places, 15 at most"),
        ("9**9**9", "too large or too small: numbers may have 1000 digits"),
        ("2**2**2**2**2**2", "too large or too small: numbers may have 1000 digits"),
        ("0.5**9**9", "too large or too small: numbers may have 1000 digits"),
        ("1.000001**(10**20+0.5)", "too large or too small: numbers may have 1000 digits"),
        ("1e9999", "too large or too small: numbers may have 1000 digits"),
        ("1" * 1001, "the expression has 1001 characters; 1000 are allowed"),
        ("(" * 500 + "1" + ")" * 499, f"more than {MAX_DEPTH} levels at character 51"),
        ("-" * 500 + "1", f"more than {MAX_DEPTH} levels at character 51"),
        ("2**" * 300 + "1", f"more than {MAX_DEPTH} levels at character 151"),
    ],
)
def test_refusals_say_what_is_wrong_and_where(expression: str, said: str) -> None:
    with pytest.raises(ToolError) as refused:
        calculate(expression)
    assert refused.value.message.startswith(said)


def test_the_longest_expression() -> None:
    assert calculate("9" * 600 + "*" + "9" * 399) == str(int("9" * 600) * int("9" * 399))


def test_a_missing_or_odd_argument() -> None:
    with pytest.raises(ToolError, match="the argument expression is missing"):
        CALCULATOR.call({})
    with pytest.raises(ToolError, match="the argument expression must be text"):
        CALCULATOR.call({"expression": ["1"]})
    assert CALCULATOR.call({"expression": 42}) == "42"


def test_a_fraction_of_very_long_numbers_keeps_50_digits() -> None:
    longest = "+".join(f"1/{n}" for n in range(2, 170))  # the denominators' least common multiple
    exact = sum((Fraction(1, n) for n in range(2, 170)), Fraction(0))
    assert evaluate(longest) == exact
    grown = evaluate("*".join(["(1/3+1/7)"] * 90))
    assert abs(grown / Fraction(10, 21) ** 90 - 1) < Fraction(1, 10**45)


NUMBERS = st.integers(0, 10**6).map(lambda n: (str(n), Fraction(n))) | st.tuples(
    st.integers(0, 999), st.integers(0, 999)
).map(lambda pair: (f"{pair[0]}.{pair[1]:03}", pair[0] + Fraction(pair[1], 1000)))


def _joined(
    left: tuple[str, Fraction], sign: str, right: tuple[str, Fraction]
) -> tuple[str, Fraction]:
    values = {
        "+": left[1] + right[1],
        "-": left[1] - right[1],
        "*": left[1] * right[1],
        "/": left[1] / (right[1] or 1),
    }
    second = right[0] if right[1] or sign != "/" else "1"
    return f"({left[0]} {sign} {second})", values[sign]


TREES = st.recursive(
    NUMBERS,
    lambda inner: st.builds(_joined, inner, st.sampled_from("+-*/"), inner),
    max_leaves=12,
)


@given(TREES)
def test_every_tree_has_the_value_that_fractions_give_it(tree: tuple[str, Fraction]) -> None:
    text, value = tree
    assert evaluate(text) == value


@given(st.lists(st.lists(st.integers(0, 999), min_size=1, max_size=4), min_size=1, max_size=6))
def test_without_brackets_products_come_before_sums(products: list[list[int]]) -> None:
    text = "+".join("*".join(map(str, factors)) for factors in products)
    assert calculate(text) == str(sum(math.prod(factors) for factors in products))


@given(st.integers(-(10**15), 10**15), st.integers(0, 6))
def test_decimals_are_shown_in_full(digits: int, places: int) -> None:
    number = Fraction(digits, 10**places)
    assert Fraction(shown(number)) == number
    assert "e" not in shown(number)
    assert not (shown(number).endswith("0") and "." in shown(number))


@given(st.text(max_size=40) | st.text("0123456789+-*/%^().,e sqrtpi", max_size=40))
def test_any_text_has_a_value_or_a_refusal(text: str) -> None:
    with contextlib.suppress(ToolError):
        Fraction(calculate(text))
