"""The budget that sets itself, with the bundled models."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import qwen3_mlx
from qwen3_mlx import LLM
from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import BudgetChosen, Done, ThinkingStopped
from qwen3_mlx.generation.calibration import CAUTIOUS, Calibration
from qwen3_mlx.generation.calibration_file import own_path, to_json
from qwen3_mlx.generation.thinking import AutoBudget

EASY = "What is 4 + 5?"
HARD = "What is 47 + 86 + 12 + 333 + 81?"
NEVER = Calibration(certain=1.0, agree=1000, every=2, cap=256, weights={"1": 256.0})
"""Looks often, and is never content."""


@pytest.fixture(scope="module")
def tiny() -> LLM:
    return qwen3_mlx.load("tiny")


def with_calibration(llm: LLM, calibration: Calibration) -> LLM:
    return dataclasses.replace(llm, calibration=calibration)


def test_an_easy_question_is_answered_at_once(tiny: LLM) -> None:
    reply = tiny.generate(EASY, budget="auto")
    assert (reply.answer, reply.thinking, reply.stop_thinking) == ("The answer is 9.", "", "auto")
    assert reply.auto is not None
    assert reply.auto.chosen.limit == 0
    assert str(reply.auto).startswith("budget auto: 0 (2 numbers, entropy ")
    assert reply.usage.probed_tokens > 0


def test_a_hard_one_is_thought_about_until_the_answer_is_known(tiny: LLM) -> None:
    whole = tiny.generate(HARD, budget=None)
    reply = tiny.generate(HARD, budget="auto")
    assert reply.answer == whole.answer == "The answer is 559."
    assert 0 < reply.usage.thinking_tokens <= whole.usage.thinking_tokens
    assert whole.thinking.startswith(reply.thinking)


def test_the_events_explain_themselves(tiny: LLM) -> None:
    first, *rest, done = tiny.chat(budget=AutoBudget(before=False)).stream(HARD)
    assert isinstance(first, BudgetChosen)
    assert str(first) == f"budget auto: {tiny.calibration.cap} (the cap)"
    stopped = next(event for event in rest if isinstance(event, ThinkingStopped))
    assert (stopped.reason, stopped.why) == ("auto", "answer stable")
    assert isinstance(done, Done)
    used = stopped.thinking_tokens
    assert str(done.reply.auto) == f"{first} · stopped at {used}: answer stable"


@pytest.mark.parametrize("sampling", [{}, {"temp": 0.8, "seed": 7}, {"repetition_penalty": 1.1}])
def test_looking_changes_nothing(tiny: LLM, sampling: dict[str, float]) -> None:
    whole = tiny.generate(HARD, budget=None, **sampling)  # type: ignore[arg-type]
    looking = with_calibration(tiny, NEVER)
    reply = looking.generate(HARD, budget="auto", **sampling)  # type: ignore[arg-type]
    assert (reply.thinking, reply.answer) == (whole.thinking, whole.answer)
    assert reply.stop_thinking == whole.stop_thinking == "natural"
    assert reply.usage.probed_tokens > 100


@pytest.mark.parametrize("cache", [{"kv_bits": 8}, {"max_kv": 512}])
def test_other_caches_are_looked_at_in_copies(tiny: LLM, cache: dict[str, int]) -> None:
    llm = with_calibration(qwen3_mlx.load("tiny", **cache), NEVER)  # type: ignore[arg-type]
    reply = llm.generate(HARD, budget="auto")
    assert reply.thinking == llm.generate(HARD, budget=None).thinking
    assert reply.usage.probed_tokens > 100


def test_the_next_turn_equals_a_fresh_run(tiny: LLM) -> None:
    chat = tiny.chat(budget="auto")
    chat.send(HARD)
    reply = chat.send(EASY)
    fresh = tiny.generate(chat.messages[:-1], budget="auto")
    assert (reply.answer, reply.thinking) == (fresh.answer, fresh.thinking)


def test_the_answer_is_the_one_that_was_looked_at(tiny: LLM) -> None:
    reply = tiny.generate(HARD, budget=AutoBudget(before=False))
    again = tiny.generate(HARD, budget=reply.usage.thinking_tokens)
    assert (again.answer, again.thinking) == (reply.answer, reply.thinking)


def test_without_thinking_there_is_nothing_to_set(tiny: LLM) -> None:
    reply = tiny.generate(HARD, budget="auto", thinking=False)
    assert (reply.auto, reply.stop_thinking, reply.usage.probed_tokens) == (None, "off", 0)


def test_it_shrinks_to_max_tokens(tiny: LLM) -> None:
    reply = tiny.generate(HARD, budget=AutoBudget(before=False, check=False), max_tokens=100)
    usage = reply.usage
    assert usage.thinking_tokens + usage.injected_tokens + usage.answer_tokens <= 100
    assert reply.stop_thinking == "length"


@pytest.mark.parametrize("budget", ["auto", 64])
def test_a_stop_while_the_prompt_is_read_holds(tiny: LLM, budget: Any) -> None:
    chat = tiny.chat(budget=budget, on_prefill=lambda done, total: chat.budget.stop())
    reply = chat.send(HARD)
    assert (reply.stop_thinking, reply.usage.thinking_tokens) == ("user", 0)
    chat.on_prefill = None
    assert chat.send(HARD).usage.thinking_tokens > 0


def test_a_batch_refuses_it(tiny: LLM) -> None:
    with pytest.raises(UsageError, match="a batch has no budget that sets itself"):
        tiny.generate_batch([EASY, HARD], budget=[4, "auto"])


def test_something_else_is_no_budget(tiny: LLM) -> None:
    with pytest.raises(UsageError, match="the thinking budget is 'automatic'"):
        tiny.generate(EASY, budget="automatic")  # type: ignore[arg-type]


class TestWhichCalibration:
    @pytest.fixture
    def data(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        return tmp_path

    def test_the_shipped_one(self, data: Path) -> None:
        assert qwen3_mlx.load("tiny").calibration.name == "tiny"
        assert qwen3_mlx.load("tiny-dense").calibration.name == "tiny-dense"

    def test_ones_own_comes_before_it(self, data: Path) -> None:
        shipped = qwen3_mlx.load("tiny").calibration
        path = own_path(shipped.model)
        path.parent.mkdir(parents=True)
        path.write_text(to_json(dataclasses.replace(shipped, cap=32)))
        assert qwen3_mlx.load("tiny").calibration.cap == 32
        assert qwen3_mlx.load("tiny-dense").calibration.cap != 32

    def test_a_file_comes_before_all(self, data: Path) -> None:
        path = data / "mine.json"
        path.write_text(to_json(CAUTIOUS))
        assert qwen3_mlx.load("tiny", calibration=path).calibration == CAUTIOUS

    def test_the_file_of_another_model_is_refused(self, data: Path) -> None:
        path = data / "mine.json"
        path.write_text(to_json(qwen3_mlx.load("tiny-dense").calibration))
        with pytest.raises(UsageError, match=r"of another model \(tiny-dense\)"):
            qwen3_mlx.load("tiny", calibration=path)
