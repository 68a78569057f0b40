"""Replies cut from a longer one: the same as if each had been thought out by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from qwen3_mlx.bundled import NAMES
from qwen3_mlx.events import Reply
from qwen3_mlx.generation.cut import CuttingBatch
from qwen3_mlx.generation.thinking import STOP_INSTRUCTION
from qwen3_mlx.loading import load
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.qwen3_format import HYBRID, THINKING_2507
from qwen3_mlx.text.template import ChatTemplate

PROMPTS = ["Hi", "What is 2 + 3?", "Tom has twelve apples."]
BUDGETS = [14, 9, 8, 5, 2, 1]
SHORT: dict[str, Any] = {"max_tokens": 60}
"""The largest first."""


@pytest.fixture
def llm(checkpoint: Path) -> LLM:
    """A random network that thinks because the prompt opens the block, and never ends by itself.

    Its tokens are bytes and parts of words: thoughts often end inside a character.
    """
    return replace(
        load(str(checkpoint)),
        template=ChatTemplate(THINKING_2507),
        stop_instruction="\nEnough.",
        context_length=150,
    )


def told(reply: Reply) -> tuple[object, ...]:
    """What a reply says and counts; not how long it took."""
    return (
        *(reply.thinking, reply.answer, reply.tool_calls),
        *(reply.stop_thinking, reply.finish_reason, reply.usage),
    )


def cut(
    llm: LLM, prompts: Sequence[str], budgets: Sequence[int | None], size: int, **arguments: Any
) -> dict[tuple[int, int], tuple[object, ...]]:
    """What each reply says, by the numbers of its prompt and budget."""
    whole, *others = budgets
    requests = [llm.request(prompt, budget=whole, **arguments) for prompt in prompts]
    shorter = [[llm.request(p, budget=b, **arguments) for b in others] for p in prompts]
    replies = list(CuttingBatch(llm, requests, shorter, size).replies())
    assert len(replies) == len(prompts) * len(budgets)
    assert all(reply.seconds > 0 for reply in replies)
    return {(reply.index, reply.place): told(reply.reply) for reply in replies}


def apart(
    llm: LLM, prompts: Sequence[str], budgets: Sequence[int | None], **arguments: Any
) -> dict[tuple[int, int], tuple[object, ...]]:
    """The same, each thought out by itself."""
    return {
        (number, place): told(llm.generate(prompt, budget=budget, **arguments))
        for number, prompt in enumerate(prompts)
        for place, budget in enumerate(budgets)
    }


@pytest.mark.parametrize("size", [1, 3, 8])
def test_greedy_replies_are_the_same(llm: LLM, size: int) -> None:
    assert cut(llm, PROMPTS, BUDGETS, size, **SHORT) == apart(llm, PROMPTS, BUDGETS, **SHORT)


@pytest.mark.parametrize("seed", [1, 2])
def test_replies_that_are_drawn_with_a_seed_are_the_same(llm: LLM, seed: int) -> None:
    """Random bytes, also halves of characters: a cut may take up to three tokens more."""
    how: dict[str, Any] = {"temp": 1.5, "top_k": 40, "seed": seed, **SHORT}
    prompts, budgets = PROMPTS[:2], BUDGETS[1::2]
    expected = apart(llm, prompts, budgets, **how)
    assert cut(llm, prompts, budgets, 3, **how) == expected
    assert len({said[0] for said in expected.values()}) == len(expected)


def test_what_was_said_before_the_cut_is_penalized_after_it(llm: LLM) -> None:
    how: dict[str, Any] = {"presence_penalty": 1.5, "repetition_penalty": 1.3, **SHORT}
    prompts, budgets = PROMPTS[:2], BUDGETS[::2]
    assert cut(llm, prompts, budgets, 3, **how) == apart(llm, prompts, budgets, **how)


def test_the_room_may_be_smaller_than_the_budgets(llm: LLM) -> None:
    """`length` ends the longer ones at the same token, whose own budget would have been larger."""
    budgets = [None, 500, 60, 8]
    short = replace(llm, context_length=100)
    expected = apart(short, PROMPTS[:2], budgets, system="Be brief.")
    assert cut(short, PROMPTS[:2], budgets, 4, system="Be brief.") == expected
    assert {said[3] for said in expected.values()} == {"length", "budget"}


def test_a_budget_that_is_as_large_as_the_room_is_what_ends_the_thoughts(llm: LLM) -> None:
    """The whole reply and the one cut are the same tokens, and end for different reasons."""
    llm = replace(llm, context_length=90)
    full = llm.generate("Hi", budget=None)
    room = full.usage.thinking_tokens
    assert full.stop_thinking == "length"
    budgets = [None, room + 1, room, room - 1]
    said = cut(llm, ["Hi"], budgets, 2)
    assert said == apart(llm, ["Hi"], budgets)
    assert [said[0, place][3] for place in range(4)] == ["length", "length", "budget", "budget"]


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_models_say_the_same(name: str) -> None:
    """Every budget up to where the model ends its thoughts by itself, and beyond."""
    llm = load(name, dtype=mx.float32)
    prompts = ["What is 9 + 8?", "What is 12 * 34?"]
    natural = max(llm.generate(p, budget=None).usage.thinking_tokens for p in prompts)
    budgets = [None, *range(natural + 2, 0, -6)]
    said = cut(llm, prompts, budgets, 8)
    assert said == apart(llm, prompts, budgets)
    assert {each[3] for each in said.values()} == {"natural", "budget"}


def test_a_prompt_that_forbids_thoughts_gets_one_reply_for_all_budgets(llm: LLM) -> None:
    hybrid = replace(llm, template=ChatTemplate(HYBRID), stop_instruction=STOP_INSTRUCTION)
    said = cut(hybrid, ["Hi /no_think"], [9, 5], 2, **SHORT)
    assert said == apart(hybrid, ["Hi /no_think"], [9, 5], **SHORT)
    assert len({*said.values()}) == 1


def test_a_cut_reads_its_instruction_and_its_answer_alone(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens that go through the model: those of the longest reply, and what follows each cut."""
    read: list[int] = []
    really_read = Qwen3.last_logits

    def watched(self: Qwen3, ids: mx.array, cache: Any = None) -> mx.array:
        read.append(ids.size)
        return really_read(self, ids, cache)

    whole = llm.generate("What is 2 + 3?", budget=14, **SHORT)
    cuts = [llm.generate("What is 2 + 3?", budget=b, **SHORT) for b in (12, 5)]
    monkeypatch.setattr(Qwen3, "last_logits", watched)
    cut(llm, ["What is 2 + 3?"], [14, 12, 5], 1, **SHORT)
    used = whole.usage
    expected = used.prompt_tokens + used.thinking_tokens + used.injected_tokens
    expected += used.answer_tokens - 1
    expected += sum(c.usage.injected_tokens + c.usage.answer_tokens - 1 for c in cuts)
    assert sum(read) == expected


def timed(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> tuple[LLM, list[float]]:
    """The model with a clock that every pass moves on by one, and what that shows."""
    now = [0.0]
    really_read = Qwen3.last_logits

    def slow(self: Qwen3, ids: mx.array, cache: Any = None) -> mx.array:
        now[0] += 1
        return really_read(self, ids, cache)

    monkeypatch.setattr(Qwen3, "last_logits", slow)
    return replace(llm, clock=lambda: now[0]), now


def test_seconds_are_those_up_to_the_cut_and_those_after_it(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passes of a reply alone in the batch: of the prompt, of each thought but the last, of the
    instruction, with that thought or without, of each token of the answer but the last."""
    llm, _ = timed(llm, monkeypatch)
    requests = [llm.request("Hi", budget=budget, **SHORT) for budget in (14, 5)]
    for reply in CuttingBatch(llm, requests[:1], [requests[1:]], 1).replies():
        used = reply.reply.usage
        assert reply.seconds == 1 + (used.thinking_tokens - 1) + 1 + (used.answer_tokens - 1)


def test_rows_of_a_batch_share_its_time(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two equal prompts: each costs half of every pass."""
    llm, now = timed(llm, monkeypatch)
    requests = [llm.request("Hi", budget=5, **SHORT)] * 2
    replies = list(CuttingBatch(llm, requests, [[], []], 2).replies())
    assert [reply.seconds for reply in replies] == [now[0] / 2] * 2
