"""Whether an answer is right, by each way to compare."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.evaluation.latex import final_formula, last_boxed, same_formula
from qwen3_mlx.evaluation.letters import chosen_letter
from qwen3_mlx.evaluation.scoring import LONGEST, is_right
from qwen3_mlx.evaluation.task import Compare, Task


def right(compare: Compare, answer: str, *answers: str) -> bool:
    return is_right(Task("1", "?", answers, compare), answer)


@pytest.mark.parametrize(
    ("compare", "answers", "answer", "expected"),
    [
        (Compare.EXACT, ["Paris"], "Paris\n", True),
        (Compare.EXACT, ["Paris"], "paris", False),
        (Compare.EXACT, ["Paris", "paris"], "paris", True),
        (Compare.EXACT, ["Paris"], "It is Paris", False),
        (Compare.NUMBER, ["1000"], "The answer is 1,000.", True),
        (Compare.NUMBER, ["0.5"], "It is 1/2", True),
        (Compare.NUMBER, ["18"], "9 + 9 = 18 dollars", True),
        (Compare.NUMBER, ["18"], "18 of 20", False),
        (Compare.NUMBER, ["18"], r"\boxed{18} of 20", True),
        (Compare.NUMBER, ["18"], r"So 18. \boxed{unknown}", True),
        (Compare.NUMBER, ["18"], "I do not know.", False),
        (Compare.NUMBER, ["1", "2"], "2", True),
        (Compare.CHOICE, ["B"], "B", True),
        (Compare.CHOICE, ["B"], "The answer is C.", False),
        (Compare.CONTAINS, ["7421", "99"], "The numbers are 99 and 7421.", True),
        (Compare.CONTAINS, ["7421", "99"], "The number is 7421.", False),
        (Compare.CONTAINS, ["Straße"], "STRASSE", True),
        (Compare.REGEX, [r"^\d+ apples?$"], "12 apples", True),
        (Compare.REGEX, [r"^\d+ apples?$"], "twelve apples", False),
        (Compare.REGEX, ["x", "y"], "y", True),
        (Compare.MATH, [r"\frac{1}{2}"], r"Thus \boxed{\dfrac12}.", True),
        (Compare.MATH, [r"\frac{1}{2}"], r"Thus \boxed{0.5}.", True),
        (Compare.MATH, ["x+1"], r"\boxed{1+x}", False),
    ],
)
def test_right_and_wrong(compare: Compare, answers: list[str], answer: str, expected: bool) -> None:
    assert right(compare, answer, *answers) is expected


@pytest.mark.parametrize("compare", [c for c in Compare if c is not Compare.REGEX])
@given(answer=st.text())
def test_no_answer_is_too_strange(compare: Compare, answer: str) -> None:
    right(compare, answer, "5")


@pytest.mark.parametrize(
    ("answer", "letter"),
    [
        ("B", "B"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("B. Paris", "B"),
        ("B) Paris", "B"),
        ("Answer: B", "B"),
        ("The answer is B.", "B"),
        ("the correct option is (B)", "B"),
        ('{"answer": "B"}', "B"),
        (r"\boxed{B}", "B"),
        (r"\boxed{\text{B}}", "B"),
        (r"\boxed{B. Paris}", "B"),
        ("A is wrong.\nThe answer is B because A is wrong.", "B"),
        ("First I thought the answer is C. The answer is B", "B"),
        ("Answer: A, not \\boxed{B}", "B"),
        ("The answer is A because it is.", "A"),
        ("The answer is a good idea.", None),
        ("The answer is A good idea.", None),
        ("Because of this\n\nB", "B"),
        ("B\n\nThat is so because of it.", "B"),
        ("The answer is E.", None),
        ("Better ask somebody else.", None),
        ("Bananas", None),
        ("", None),
    ],
)
def test_the_letter_an_answer_names(answer: str, letter: str | None) -> None:
    assert chosen_letter(answer, 4) == letter


def test_there_may_be_more_letters() -> None:
    assert chosen_letter("The answer is J.", 10) == "J"
    assert chosen_letter("The answer is I because.", 10) == "I"


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        (r"\boxed{5}", "5"),
        (r"\boxed{1} or \boxed{2}", "2"),
        (r"\boxed{\frac{1}{2}} is it", r"\frac{1}{2}"),
        (r"\boxed{}", ""),
        (r"\boxed{5", None),
        ("5", None),
    ],
)
def test_what_is_boxed(text: str, inside: str | None) -> None:
    assert last_boxed(text) == inside


def test_without_a_box_the_end_of_an_answer_counts() -> None:
    assert final_formula("We get $x=2$ and then $y=3$.") == "y=3"
    assert final_formula("Sum them.\nThe answer is: 5") == "5"
    assert final_formula("") == ""


def test_an_answer_without_end_is_not_right() -> None:
    task = Task("1", "?", ("5",), Compare.CONTAINS)
    assert is_right(task, "5" + " " * (LONGEST - 1))
    assert not is_right(task, "5" + " " * LONGEST)


def test_a_long_line_is_looked_through_once() -> None:
    """The square of its length would be hours."""
    line = "a" * 2_000_000
    assert final_formula(line) == line


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\frac{1}{2}", r"\dfrac{1}{2}"),
        (r"\frac{1}{2}", r"\frac12"),
        (r"\frac{1}{2}", "1/2"),
        (r"\frac{1}{2}", "0.5"),
        (r"-\frac{1}{2}", r"\frac{-1}{2}"),
        (r"\frac{a}{2}", r"\frac{a}2"),
        (r"\sqrt{3}", r"\sqrt3"),
        (r"\left(3, \frac{\pi}{2}\right)", r"(3,\frac{\pi}{2})"),
        ("1,000", "1{,}000"),
        ("1,000", "1000"),
        ("10\\%", "10"),
        ("90^\\circ", "90"),
        ("\\$5", "5"),
        ("x=5", "5"),
        (r"\text{Evelyn}", "Evelyn"),
        (r"3\!\cdot 2", r"3 \cdot 2"),
        ("5.", "5"),
        ("2.0", "2"),
    ],
)
def test_formulas_that_say_the_same(one: str, other: str) -> None:
    assert same_formula(one, other)
    assert same_formula(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", ""),
        ("x+1", "1+x"),
        (r"\frac{1}{2}", r"\frac{2}{1}"),
        ("12", "21"),
        ("(1,2)", "(2,1)"),
        ("5", "-5"),
        ("a=b=c", "c"),
    ],
)
def test_formulas_that_do_not(one: str, other: str) -> None:
    assert not same_formula(one, other)
