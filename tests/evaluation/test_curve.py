"""Curves of the bundled models: what is recorded, and what cannot be asked."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen3_mlx.errors import ContextOverflowError, ModelTooLargeError, UsageError
from qwen3_mlx.evaluation.curve import Record, run
from qwen3_mlx.evaluation.figures import by_category, figures
from qwen3_mlx.evaluation.interval import wilson
from qwen3_mlx.evaluation.task import Compare, Task
from qwen3_mlx.events import StopThinking
from qwen3_mlx.generation import batch_limits
from qwen3_mlx.loading import load
from qwen3_mlx.runtime import LLM

TASKS = [
    Task("a", "What is 3 + 4 + 5 + 6 + 7?", ("25",), Compare.NUMBER, "sum"),
    Task("b", "What is 47 + 86 + 12?", ("145",), Compare.NUMBER, "sum"),
    Task("c", "What is 12 * 34?", ("408",), Compare.NUMBER, "product"),
]
BUDGETS = [0, None, 8]


@pytest.fixture(scope="module")
def llm() -> LLM:
    return load("tiny")


def test_every_reply_is_the_one_that_its_budget_gives_alone(llm: LLM) -> None:
    found = {record.id: records for records in run(llm, TASKS, BUDGETS) for record in records}
    assert found.keys() == {"a", "b", "c"}
    for task in TASKS:
        records = found[task.id]
        assert [record.budget for record in records] == BUDGETS
        for record in records:
            reply = llm.generate(task.prompt, budget=record.budget)
            assert record == Record(
                id=task.id,
                category=task.category,
                budget=record.budget,
                right=task.answers[0] in reply.answer,
                answer=reply.answer,
                thinking_tokens=reply.usage.thinking_tokens,
                answer_tokens=reply.usage.answer_tokens,
                stop_thinking=reply.stop_thinking,
                finish_reason=reply.finish_reason,
                seconds=record.seconds,
            )
            assert record.seconds > 0
    assert [[record.right for record in found[task.id]] for task in TASKS] == [
        [False, True, False],
        [False, True, False],
        [False, True, False],
    ]


def test_a_batch_says_the_same(llm: LLM) -> None:
    def said(batch_size: int) -> dict[str, list[Record]]:
        found = run(llm, TASKS, BUDGETS, batch_size=batch_size, system="Be brief.")
        return {each[0].id: [replace(record, seconds=0.0) for record in each] for each in found}

    assert said(1) == said(5)


def test_budgets_are_checked_before_anything_is_asked(llm: LLM) -> None:
    with pytest.raises(UsageError, match="there are no budgets"):
        run(llm, TASKS, [])
    with pytest.raises(UsageError, match="a budget is there twice"):
        run(llm, TASKS, [8, None, 8])
    with pytest.raises(UsageError, match="the thinking budget is -1"):
        run(llm, TASKS, [-1])


def test_what_cannot_be_asked_is_said_at_once_with_the_task(llm: LLM) -> None:
    long = Task("long", "1 + " * 3000 + "1 = ?", ("3001",), Compare.NUMBER)
    with pytest.raises(ContextOverflowError, match=r"^task long: the prompt has \d+ tokens"):
        run(llm, [*TASKS, long], BUDGETS)
    with pytest.raises(UsageError, match=r"^task a: max_tokens 60 is too small for a budget of 64"):
        run(llm, TASKS, [64, 8], max_tokens=60)
    with pytest.raises(UsageError, match="temperature"):
        run(llm, TASKS, [8], temp=-1.0)
    with pytest.raises(UsageError, match="batch_size is 0"):
        run(llm, TASKS, [8], batch_size=0)


def test_too_many_at_a_time_do_not_fit(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_limits, "free_memory", lambda: 10**6)
    with pytest.raises(ModelTooLargeError):
        run(llm, TASKS, [8], batch_size=3)


def test_no_tasks_are_no_records(llm: LLM) -> None:
    assert list(run(llm, [], BUDGETS)) == []


def record(id_: str, budget: int | None, right: bool, thinking: int, category: str = "") -> Record:
    stop: StopThinking = "natural" if budget is None else "budget"
    return Record(id_, category, budget, right, "5", thinking, 3, stop, "stop", thinking / 4)


RECORDS = [
    record("1", 8, False, 8, "sum"),
    record("1", None, True, 20, "sum"),
    record("2", 8, True, 6, "product"),
    record("2", None, True, 10, "product"),
]


def test_figures_are_shares_and_means() -> None:
    short, full = figures(RECORDS, [8, None, 3])
    assert (short.budget, short.count, short.right, short.share) == (8, 2, 1, 0.5)
    assert (short.thinking_tokens, short.stopped, short.seconds) == (7, 1, 1.75)
    assert (full.budget, full.right, full.thinking_tokens, full.stopped) == (None, 2, 15, 0)
    assert full.interval == wilson(2, 2)


def test_categories_have_figures_of_their_own() -> None:
    found = by_category(RECORDS, [8, None])
    assert [*found] == ["sum", "product"]
    assert [each.share for each in found["sum"]] == [0, 1]
    assert by_category([record("1", 8, True, 8)], [8]) == {}
