"""`load(draft=...)`: guesses change no reply of the bundled models, whatever the budget."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

import qwen3_mlx
from qwen3_mlx import fitting
from qwen3_mlx.checkpoint.hub import resolve
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.errors import ModelTooLargeError, UsageError
from qwen3_mlx.events import Reply, Usage
from qwen3_mlx.fitting import Fitting, counted_tokens
from qwen3_mlx.runtime import LLM
from tests.generation.test_speculation import Always

QUESTION = "What is 47 + 86 + 12?"
LISTING = "ada = 4711\nbob = 1234\ncem = 9876\nWhat is bob?"


@pytest.fixture(scope="module", params=["lookup", "tiny-dense"])
def guessing(request: pytest.FixtureRequest) -> LLM:
    llm = qwen3_mlx.load("tiny", draft=cast(str, request.param))
    assert llm.drafting is not None
    llm.drafting = type(llm.drafting)(llm.drafting.make, Always())
    return llm


@pytest.fixture(scope="module")
def plain() -> LLM:
    return qwen3_mlx.load("tiny")


def without_counts(reply: Reply) -> tuple[object, ...]:
    usage = reply.usage
    counted = Usage(
        usage.prompt_tokens,
        usage.cached_tokens,
        usage.thinking_tokens,
        usage.injected_tokens,
        usage.answer_tokens,
    )
    return reply.answer, reply.thinking, reply.stop_thinking, reply.finish_reason, counted


@pytest.mark.parametrize("budget", [0, 1, 2, 5, 11, 30, None])
@pytest.mark.parametrize("question", [QUESTION, LISTING])
def test_every_budget_ends_where_it_would(
    plain: LLM, guessing: LLM, question: str, budget: int | None
) -> None:
    reply = guessing.generate(question, budget=budget)
    assert without_counts(reply) == without_counts(plain.generate(question, budget=budget))
    assert budget is None or reply.usage.thinking_tokens <= budget


def test_sampled_replies_are_the_same_by_their_seed(plain: LLM, guessing: LLM) -> None:
    for seed in range(5):
        replies = [llm.generate(QUESTION, temp=1.0, seed=seed) for llm in (plain, guessing)]
        assert without_counts(replies[0]) == without_counts(replies[1])


def test_a_conversation_goes_on_as_it_would(plain: LLM, guessing: LLM) -> None:
    chats = [llm.chat(budget=20) for llm in (plain, guessing)]
    for text in (QUESTION, LISTING, "What is 2 + 3?"):
        replies = [without_counts(chat.send(text)) for chat in chats]
        assert replies[0] == replies[1]


def test_it_counts_its_guesses(guessing: LLM) -> None:
    usage = guessing.generate(QUESTION).usage
    assert 0 < usage.accepted_tokens <= usage.drafted_tokens


def test_the_large_one_guesses_well_for_itself() -> None:
    llm = qwen3_mlx.load("tiny", draft="tiny")
    assert llm.drafting is not None
    llm.drafting = type(llm.drafting)(llm.drafting.make, Always())
    usage = llm.generate(QUESTION).usage
    # Only what was guessed beyond the end of the reply, or before the instruction, can be wrong.
    assert usage.drafted_tokens - usage.accepted_tokens <= 4


def test_the_memory_of_both_models_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many bytes as one model needs are not enough for two, twice as many are."""
    source = resolve("tiny")
    checkpoint = open_checkpoint(source.path)
    tokens = counted_tokens(checkpoint, None, None)
    one = Fitting(checkpoint, None, tokens, None).needed()
    monkeypatch.setattr(fitting, "machine_memory", lambda: one)
    assert qwen3_mlx.load("tiny", draft="lookup").drafting is not None
    with pytest.raises(ModelTooLargeError, match="for the draft model") as error:
        qwen3_mlx.load("tiny", draft="tiny")
    assert error.value.hint is not None
    assert error.value.hint.endswith("Or leave draft out.")
    monkeypatch.setattr(fitting, "machine_memory", lambda: 2 * one)
    assert qwen3_mlx.load("tiny", draft="tiny").drafting is not None


def test_another_vocabulary_is_refused(checkpoint: Path) -> None:
    with pytest.raises(UsageError, match="cannot guess for this model"):
        qwen3_mlx.load("tiny", draft=str(checkpoint))
