"""Observing a reply sees what it would have answered, and changes nothing."""

from __future__ import annotations

import pytest

import qwen3_mlx
from qwen3_mlx import LLM
from qwen3_mlx.evaluation.observe import Observation, observe

PROMPT = "What is 47 + 86 + 12?"


@pytest.fixture(scope="module")
def tiny() -> LLM:
    return qwen3_mlx.load("tiny")


@pytest.fixture(scope="module")
def seen(tiny: LLM) -> Observation:
    return observe(tiny, PROMPT, lambda answer: "145" in answer, every=4, cap=100)


def test_it_looks_every_so_often_and_at_the_end_of_lines(seen: Observation) -> None:
    used = [look.used for look in seen.looks]
    lines = [look.used for look in seen.looks if look.margin is not None]
    assert used == sorted(set(used))
    assert set(range(0, seen.thinking_tokens + 1, 4)) <= set(used)
    assert len(lines) == 3  # after "<think>", after "47+86=133" and after "133+12=145"


def test_the_reply_is_the_one_without_looks(tiny: LLM, seen: Observation) -> None:
    reply = tiny.generate(PROMPT, budget=100)
    assert seen.thinking_tokens == reply.usage.thinking_tokens
    assert seen.right


def test_each_look_is_the_answer_within_that_budget(tiny: LLM, seen: Observation) -> None:
    for look in seen.looks[1:]:
        answer = tiny.generate(PROMPT, budget=look.used).answer
        if look.used < seen.thinking_tokens:
            assert tiny.tokenizer.decode(list(look.answer)) == answer
        assert look.right == ("145" in answer)
    at_once = tiny.generate(PROMPT, budget=0).answer
    assert tiny.tokenizer.decode(list(seen.looks[0].answer)) == at_once


def test_what_is_certain_is_a_probability(seen: Observation) -> None:
    assert all(0 < look.certainty <= 1 for look in seen.looks)
    assert seen.looks[-1].certainty > 0.9
    assert seen.looks[-1].margin is not None
    assert seen.looks[-1].margin < 0  # after the last line the model would close the block
