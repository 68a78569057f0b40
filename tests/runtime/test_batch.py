"""Several conversations together: each reply is the one that its prompt gets alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest

from qwen3_mlx.bundled import NAMES
from qwen3_mlx.errors import (
    ContextOverflowError,
    ModelTooLargeError,
    NonFiniteError,
    UsageError,
)
from qwen3_mlx.events import Done, Event, Reply, ThinkingDelta, ThinkingStopped
from qwen3_mlx.generation.engine import Answering
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.loading import load
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.qwen3_format import THINKING_2507
from qwen3_mlx.text.template import ChatTemplate

CONVERSATION: list[Message] = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "It is five."},
    {"role": "user", "content": "How many apples?"},
]
PROMPTS: list[str | Sequence[Message]] = [
    "Hi",
    "What is 2 + 3?",
    CONVERSATION,
    "Tom has twelve apples and buys seven more. How many apples has he now?",
    "Hi /no_think",
    "What is 2 + 3 + 12?",
]
EACH: dict[str, list[Any]] = {
    "budget": [3, 7, None, 5, 9, 1],
    "thinking": [True, True, False, True, True, True],
    "max_tokens": [None, 80, 1, 60, 30, 70],
    "system": [None, "Be brief.", None, None, None, "Be brief."],
}


@pytest.fixture
def llm(checkpoint: Path) -> LLM:
    """A random network that thinks because the prompt opens the block, and never ends by itself."""
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


def one_by_one(
    llm: LLM, prompts: Sequence[str | Sequence[Message]], **each: Any
) -> list[tuple[object, ...]]:
    spread = {
        name: value if isinstance(value, list) else [value] * len(prompts)
        for name, value in each.items()
    }
    arguments = ({name: values[i] for name, values in spread.items()} for i in range(len(prompts)))
    return [
        told(llm.generate(prompt, **given))
        for prompt, given in zip(prompts, arguments, strict=True)
    ]


def shapes(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, ...]]:
    """The shape [B, L] of every pass for logits from now on."""
    seen: list[tuple[int, ...]] = []
    really_read = Qwen3.last_logits

    def watched(self: Qwen3, ids: mx.array, cache: Any = None) -> mx.array:
        seen.append(ids.shape)
        return really_read(self, ids, cache)

    monkeypatch.setattr(Qwen3, "last_logits", watched)
    return seen


def test_the_replies_are_those_of_each_prompt_alone(llm: LLM) -> None:
    expected = one_by_one(llm, PROMPTS, **EACH)
    for batch_size in (3, 8):
        replies = llm.generate_batch(PROMPTS, batch_size=batch_size, **EACH)
        assert [told(reply) for reply in replies] == expected
    budget, off = "budget", "off"
    assert [reply.stop_thinking for reply in replies] == [budget, budget, off, budget, off, budget]
    assert len({reply.usage.thinking_tokens for reply in replies}) == 5


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_models_say_the_same_in_float32(name: str) -> None:
    llm = load(name, dtype=mx.float32)
    prompts = [
        "What is 47 + 86 + 12?",
        "Hi",
        "What is 3 + 4 + 5 + 6 + 7?",
        "Tom has 12 apples and buys 7 more. How many apples does he have?",
        "What is 12 * 34?",
        "What is 9 + 8?",
        "What is 512 - 347?",
    ]
    each: dict[str, Any] = {
        "budget": [512, 4, 13, 512, 20, 1, None],
        "thinking": [True, True, True, False, True, True, True],
    }
    replies = llm.generate_batch(prompts, batch_size=3, **each)
    assert [told(reply) for reply in replies] == one_by_one(llm, prompts, **each)
    assert replies[0].answer == "The answer is 145."
    reasons = Counter(reply.stop_thinking for reply in replies)
    assert reasons["budget"] >= 2
    assert reasons["natural"] >= 2


def test_a_seed_draws_what_it_draws_alone(llm: LLM) -> None:
    each: dict[str, Any] = {
        "temp": [1.5, 0.0, 1.5, None],
        "top_k": [5, 0, None, 0],
        "seed": [4, 4, 5, 6],
        "presence_penalty": [None, 1.5, 0.5, None],
        "budget": [2, 5, 0, None],
        "max_tokens": 72,
    }
    prompts = ["Hi", "Hi", "What is 2 + 3?", "Hi"]
    replies = llm.generate_batch(prompts, batch_size=3, **each)
    assert [told(reply) for reply in replies] == one_by_one(llm, prompts, **each)
    assert replies[0].answer != replies[3].answer


def test_the_events_of_each_reply_are_those_it_has_alone(llm: LLM) -> None:
    def without_times(event: Event) -> object:
        if isinstance(event, ThinkingStopped):
            return replace(event, seconds=0.0)
        return told(event.reply) if isinstance(event, Done) else event

    prompts = PROMPTS[:4]
    heard: list[list[object]] = [[] for _ in prompts]
    for index, event in llm.stream_batch(prompts, batch_size=3, budget=6, max_tokens=60):
        heard[index].append(without_times(event))
    for prompt, events in zip(prompts, heard, strict=True):
        request = llm.request(prompt, budget=6, max_tokens=60)
        alone = Answering(llm, request, Prefix(llm.model)).events()
        assert events == [without_times(event) for event in alone]


def test_a_place_that_is_free_is_taken_and_no_more_are(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Four prompts of equal length for three places; the replies have 5, 2, 4 and 3 tokens.

    A reply of n tokens takes n - 1 steps. The second ends after one step; the fourth joins for
    the third to ends of the others: 3 rows, then 3, 3, and the first alone.
    """
    seen = shapes(llm, monkeypatch)
    llm.generate_batch(["Hi"] * 4, batch_size=3, thinking=False, max_tokens=[5, 2, 4, 3], temp=0.0)
    prompt = seen[0][1]
    assert seen == [(3, prompt), (3, 1), (1, prompt), (3, 1), (3, 1), (1, 1)]


def test_a_stop_instruction_in_one_row_holds_no_other_up(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is read in the first row, the second says a token in each step."""
    seen = shapes(llm, monkeypatch)
    first, second = llm.generate_batch(
        ["Hi", "Hi"], thinking=[True, False], budget=1, max_tokens=[60, 15]
    )
    assert 4 < first.usage.injected_tokens < 15
    assert second.usage.answer_tokens == 15
    assert [shape for shape in seen if shape[1] == 1][:14] == [(2, 1)] * 14


def test_what_is_forced_on_every_row_is_read_in_one_pass(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = shapes(llm, monkeypatch)
    (reply,) = llm.generate_batch(["Hi"], budget=1, max_tokens=80)
    assert max(length for _, length in seen[1:]) >= reply.usage.injected_tokens


def test_waiting_counts_in_the_time_to_the_first_token(llm: LLM) -> None:
    ticks = count()
    llm = replace(llm, clock=lambda: float(next(ticks)))
    first, second = llm.generate_batch(["Hi"] * 2, batch_size=1, thinking=False, max_tokens=5)
    assert second.timing.first_token_seconds > first.timing.first_token_seconds
    assert second.timing.prefill_seconds == first.timing.prefill_seconds == 1.0
    assert second.timing.decode_seconds == first.timing.decode_seconds


def interrupted(events: Iterator[tuple[int, Event]]) -> None:
    for _, event in events:
        if isinstance(event, ThinkingDelta) and event.used == 3:
            raise KeyboardInterrupt


@pytest.mark.parametrize("how", ["closed", "interrupted"])
def test_a_batch_that_is_broken_off_leaves_nothing_behind(llm: LLM, how: str) -> None:
    expected = one_by_one(llm, PROMPTS[:4], budget=6, max_tokens=60)
    events: Any = llm.stream_batch(PROMPTS[:4], batch_size=3, budget=6, max_tokens=60)
    if how == "closed":
        with closing(events):
            next(events)
    else:
        with pytest.raises(KeyboardInterrupt):
            interrupted(events)
    replies = llm.generate_batch(PROMPTS[:4], budget=6, max_tokens=60)
    assert [told(reply) for reply in replies] == expected


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"prompts": []}, "no prompts"),
        ({"prompts": "Hi"}, "no list"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"batch_size": -3}, "batch_size is -3"),
        ({"batch_size": 2.5}, "batch_size is 2.5"),
        ({"budget": [1]}, "budget has 1 values for 2 prompts"),
        ({"budget": [None, -1]}, r"prompts\[1\]: the thinking budget is -1"),
        ({"budget": [None, 60], "max_tokens": 90}, r"prompts\[1\]: max_tokens 90 is too small"),
        ({"max_tokens": [4, 0]}, r"prompts\[1\]: max_tokens is 0"),
        ({"temp": [0.0, -1.0]}, r"prompts\[1\]: temperature is -1"),
        ({"prompts": ["Hi", []]}, r"prompts\[1\]: there is no message"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_read(
    llm: LLM, monkeypatch: pytest.MonkeyPatch, arguments: dict[str, Any], said: str
) -> None:
    seen = shapes(llm, monkeypatch)
    with pytest.raises(UsageError, match=said):
        llm.stream_batch(**{"prompts": ["Hi", "Hi"], **arguments})
    assert seen == []


def test_a_prompt_longer_than_the_context_is_named(llm: LLM) -> None:
    with pytest.raises(ContextOverflowError, match=r"prompts\[2\]: the prompt has \d+ tokens"):
        llm.generate_batch(["Hi", "Hi", "apples " * 300, "Hi"])


def test_an_argument_that_there_is_not_is_named(llm: LLM) -> None:
    with pytest.raises(TypeError, match=r"generate_batch\(\) has no argument 'heat'"):
        llm.generate_batch(["Hi"], heat=1)  # type: ignore[call-arg]


def test_more_rows_than_memory_are_refused_with_what_would_fit(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token takes 2 layers x 2 x 16 numbers x 4 bytes = 256 bytes; there are places for 256."""
    limits = "qwen3_mlx.generation.batch_limits"
    monkeypatch.setattr(f"{limits}.activation_bytes", lambda *_, **__: 0)
    monkeypatch.setattr(f"{limits}.free_memory", lambda: 3 * 2 * 256 * 256)
    with pytest.raises(ModelTooLargeError, match=r"4 .* of up to 150 tokens .* 0\.5 MB") as error:
        llm.generate_batch(["Hi"] * 9, batch_size=4)
    assert error.value.hint == "Use a batch_size of at most 3 or a smaller max_tokens."
    assert len(llm.generate_batch(["Hi"] * 9, batch_size=3, thinking=False, max_tokens=2)) == 9


def test_what_the_rows_compute_is_counted_too(llm: LLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Logits alone: fifteen arrays of float32 over the vocabulary for each row, at worst."""
    caches = 1000 * 2 * 256 * 256
    logits = 1000 * 15 * 4 * llm.config.vocab_size
    monkeypatch.setattr(
        "qwen3_mlx.generation.batch_limits.free_memory", lambda: caches + logits - 1
    )
    with pytest.raises(ModelTooLargeError, match="1000 conversations at once"):
        llm.stream_batch(["Hi"] * 1000, batch_size=1000)


def test_a_model_whose_caches_cannot_be_laid_side_by_side_is_refused(checkpoint: Path) -> None:
    llm = load(str(checkpoint), max_kv=64)
    with pytest.raises(UsageError, match="neither rounded nor sliding"):
        llm.generate_batch(["Hi"])


def test_numbers_that_are_not_finite_end_it(llm: LLM, random_model: Qwen3) -> None:
    damaged = Qwen3(random_model.config)
    damaged.model.norm.weight = mx.full((32,), float("nan"))
    with pytest.raises(NonFiniteError):
        replace(llm, model=damaged).generate_batch(["Hi", "Hi"])
