"""The dial: what every key does to the budget, and when none does anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.cli.dial import Dial, own_budget
from qwen3_mlx.generation.thinking import AutoBudget, ThinkingBudget
from qwen3_mlx.tools.budget import StepBudget
from tests.cli.fakes import FakeConversation


def dialled(keys: str, limit: int | None = 512, used: int = 112) -> tuple[ThinkingBudget, Dial]:
    budget = ThinkingBudget(limit)
    dial = Dial(budget, lambda: None)
    dial.thought(used, limit)
    for key in keys:
        dial.press(key)
    return budget, dial


@pytest.mark.parametrize(
    ("keys", "limit", "after"),
    [
        ("+", 512, 912),  # 400 are left: 112 + 800
        ("++", 512, 1712),
        ("-", 512, 312),
        ("--", 512, 212),
        ("+-", 512, 512),
        ("-", 113, 112),
        ("+", 112, 112),
        ("+", 100, 112),  # a character is being finished: nothing is left
        ("+-", None, None),
        ("=64\r", 512, 64),
        ("=64\n", 512, 64),
        ("=none\r", 512, None),
        ("=NONE\r", 512, None),
        ("=65\x7f4\r", 512, 64),
        ("=64", 512, 512),
        ("=64\x1b", 512, 512),
        ("=\r", 512, 512),
        ("=no\r", 512, 512),
        ("=abc\r+", 512, 912),
        ("=6+ 4\r", 512, 64),
        ("=12345678901\r", 512, 123456789),
        ("xyz\r\t\x04", 512, 512),
    ],
)
def test_what_keys_make_of_the_budget(keys: str, limit: int | None, after: int | None) -> None:
    budget, _ = dialled(keys, limit)
    assert (budget.limit, budget.stops) == (after, 0)


@pytest.mark.parametrize("key", [" ", "\x1b"])
def test_answer_now(key: str) -> None:
    budget, dial = dialled(key)
    assert (budget.limit, budget.stops, dial.note) == (512, 1, "answering now")


def test_a_budget_that_sets_itself_is_turned_from_where_it_stands() -> None:
    budget = ThinkingBudget("auto")
    dial = Dial(budget, lambda: None)
    dial.thought(40, 96)
    assert dial.limit == 96
    dial.press("+")
    assert (budget.limit, budget.auto) == (40 + 2 * 56, None)
    assert dial.limit == 152


def test_a_turn_of_a_budget_that_sets_itself_sets_itself_too() -> None:
    conversation = FakeConversation([], ThinkingBudget(AutoBudget(check=False)))
    with own_budget(conversation) as budget:  # type: ignore[arg-type]
        assert budget.auto == AutoBudget(check=False)
        budget.set(64)
    assert conversation.budget.auto == AutoBudget(check=False)


@pytest.mark.parametrize(
    ("key", "step", "turn"),
    [
        ("+", 414, 714),  # 202 are left: 10 + 404
        ("-", 111, 411),
        ("=64\r", 64, 364),
        ("=none\r", None, None),
    ],
)
def test_in_a_later_step_keys_turn_what_the_bar_shows(
    key: str, step: int | None, turn: int | None
) -> None:
    """Of 512 for the turn, the first step thought 300; the second has thought 10."""
    budget = ThinkingBudget(512)
    dial = Dial(budget, lambda: None)
    dial.thought(300, 512)
    dial.step_over(300)
    dial.thought(10, 212)
    assert dial.limit == 212
    for letter in key:
        dial.press(letter)
    assert (dial.limit, budget.limit) == (step, turn)
    assert StepBudget(budget, used=300, over=False, chosen=None).limit == step


def test_what_is_being_typed_is_noted() -> None:
    assert dialled("")[1].note == ""
    assert dialled("=")[1].note == "budget = _"
    assert dialled("=12")[1].note == "budget = 12_"
    assert dialled("=12\r")[1].note == ""
    assert dialled("=\r")[1].note == ""


def test_what_is_no_budget_is_said_until_the_next_key() -> None:
    assert dialled("=abc")[1].note == "budget = abc_"
    assert dialled("=abc\r")[1].note == "abc is no budget: a number, or none"
    assert dialled("=auto\r")[1].note == "auto is no budget: a number, or none"
    budget, dial = dialled("=abc\rx")
    assert (budget.limit, dial.note) == (512, "")


def test_only_keys_that_do_something_are_told() -> None:
    told: list[int | None] = []
    dial = Dial(ThinkingBudget(512), lambda: told.append(dial.limit))
    dial.press("+")  # it is not thinking yet
    dial.thought(112, 512)
    for key in "+x-":
        dial.press(key)
    assert told == [912, 512]


@given(st.text(" +-=\x1b\r0123none"))
def test_keys_do_nothing_before_the_first_thought_and_after_the_last(keys: str) -> None:
    budget = ThinkingBudget(512)
    dial = Dial(budget, lambda: None)
    for key in keys:
        dial.press(key)
    dial.thought(1, 512)
    dial.close()
    for key in keys:
        dial.press(key)
    assert (budget.limit, budget.stops, dial.note) == (512, 0, "")


def test_a_turn_has_a_budget_of_its_own() -> None:
    before = ThinkingBudget(512, given=False)
    conversation = FakeConversation([], before)
    with own_budget(conversation) as budget:  # type: ignore[arg-type]
        assert (conversation.budget, budget.limit, budget.given) == (budget, 512, False)
        budget.set(1024)
        budget.stop()
    assert conversation.budget is before
    assert (before.limit, before.given, before.stops) == (512, False, 0)
