"""The problems the bundled models learn from: right, held apart, and worded in unseen ways."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training import lookups, problems, wordings
from training.conversations import SHARES, ask, reply_text
from training.problems import add_steps, largest_steps, multiply_steps, subtract_steps

NUMBER = st.integers(1, 999)


def test_the_steps_of_a_sum_are_its_running_totals() -> None:
    assert add_steps((47, 86, 12)) == ["47+86=133", "133+12=145"]


def test_a_difference_goes_place_by_place() -> None:
    assert subtract_steps(512, 347) == ["512-300=212", "212-40=172", "172-7=165"]
    assert subtract_steps(3, 40) == ["3<40", "40-3=37"]


def test_a_product_has_a_step_for_each_digit_and_their_sum() -> None:
    assert multiply_steps(47, 86) == ["47*80=3760", "47*6=282", "3760+282=4042"]
    assert multiply_steps(47, 6) == ["40*6=240", "7*6=42", "240+42=282"]
    assert multiply_steps(40, 50) == ["40*50=2000"]


def test_the_largest_is_kept_and_compared_with_the_next() -> None:
    assert largest_steps((4, 9, 6)) == ["4<9", "9>6"]


@given(st.lists(NUMBER, min_size=2, max_size=8), NUMBER, NUMBER, st.integers(10, 99))
def test_every_step_is_true(numbers: list[int], a: int, b: int, c: int) -> None:
    steps = [*add_steps(tuple(numbers)), *subtract_steps(a, b), *multiply_steps(c, a % 90 + 2)]
    for step in steps:
        left, sign, right = re.split(r"([=<])", step, maxsplit=1)
        value = _value(left)
        assert value == int(right) if sign == "=" else value < int(right)


def _value(term: str) -> int:
    first, operator, second = re.match(r"(\d+)(?:([-+*])(\d+))?", term).groups()  # type: ignore[union-attr]
    if not operator:
        return int(first)
    return {"+": int.__add__, "-": int.__sub__, "*": int.__mul__}[operator](int(first), int(second))


@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize("kind", [k for k in SHARES if k != "other"])
def test_training_and_evaluation_never_share_numbers(kind: str, held_out: bool) -> None:
    rng = random.Random(1)
    for _ in range(200):
        problem, _ = ask(kind, rng, held_out=held_out)
        assert problems.is_held_out(problem.kind, problem.numbers) == held_out


def test_a_held_out_wording_is_never_trained_on() -> None:
    for frames in wordings.FRAMES.values():
        rng = random.Random(2)
        trained = {wordings.pick(frames, rng, held_out=False) for _ in range(2000)}
        kept = {wordings.pick(frames, rng, held_out=True) for _ in range(200)}
        assert trained.isdisjoint(kept)
        assert len(trained) + len(kept) == len(set(frames))


@pytest.mark.parametrize("kind", ["sum", "difference", "product", "largest"])
def test_a_prompt_says_every_number(kind: str) -> None:
    rng = random.Random(3)
    for _ in range(200):
        problem, prompt = ask(kind, rng, held_out=False)
        said = sorted(map(int, re.findall(r"\d+", prompt)))
        assert said == sorted(problem.numbers)


def test_a_lookup_names_its_answer_in_the_prompt() -> None:
    rng = random.Random(4)
    for _ in range(100):
        problem, prompt = ask("lookup", rng, held_out=False)
        name, value = problem.steps[0].removeprefix("Look for ").split(": ")
        assert name in prompt
        assert value in prompt
        assert problem.answer == value


def test_a_reply_to_a_lookup_begins_with_the_name() -> None:
    problem, prompt = ask("lookup", random.Random(5), held_out=False)
    name, value = reply_text(problem).removesuffix(".").split(": ")
    assert name in prompt
    assert value == problem.answer


def test_hard_sums_carry_and_repeat_more_than_plain_ones() -> None:
    def share(maker: Callable[[random.Random], problems.Problem]) -> float:
        made = [maker(random.Random(n)).numbers for n in range(500)]
        near = [abs((sum(n) + 9) % 100 - 9) <= 9 or len(set(n)) < len(n) for n in made]
        return sum(near) / len(near)

    assert share(problems.make_hard_sum) > 2 * share(problems.make_sum)


def test_an_exercise_says_nothing_that_its_prompt_does_not() -> None:
    for seed in range(50):
        prompt, said = lookups.make_repetition(random.Random(seed))
        assert said.lower() in prompt.lower()
        prompt, pairs = lookups.make_pairs(random.Random(seed))
        assert all(f"{name}{other.rstrip()}" in prompt for name, other in pairs)
        prompt, recited = lookups.make_recital(random.Random(seed))
        values = [digits for _, value in recited for digits in re.findall(r"\d+", value)]
        assert all(digits in prompt for digits in values)
