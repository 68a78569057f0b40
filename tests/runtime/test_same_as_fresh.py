"""Random conversations with a random network: what the cache saves never changes an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.chat import Conversation
from qwen3_mlx.events import Done, Reply, ThinkingStopped, Timing
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.text.qwen3_format import HYBRID, THINKING_2507
from qwen3_mlx.text.renderer import Renderer

WORDS = ["Hi", "What is 2 + 3?", "five apples", "🙂", "/no_think", "/think", "<|im_end|>", "\n"]


turns = st.tuples(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join),
    st.none() | st.integers(0, 20),
    st.none() | st.integers(1, 30),
)
"""What is said, the budget, and after how many events the turn is broken off."""


@settings(max_examples=20, deadline=None)
@given(
    conversation=st.lists(turns, min_size=2, max_size=3),
    form=st.sampled_from([HYBRID, THINKING_2507]),
    system=st.none() | st.just("Be brief."),
)
def test_every_answer_equals_a_fresh_ones(
    random_model: Qwen3,
    make_engine: Callable[..., Engine],
    conversation: list[tuple[str, int | None, int | None]],
    form: Renderer,
    system: str | None,
) -> None:
    engine = make_engine(random_model, form)
    chat = begin(engine, system)
    for text, budget, breaks_off in conversation:
        fresh = begin(engine, system)
        fresh.messages = list(chat.messages)
        assert play(chat, text, budget, breaks_off) == play(fresh, text, budget, breaks_off)
        assert chat.messages == fresh.messages
        assert chat._prefix.ids == fresh._prefix.ids
        assert {layer.offset for layer in chat._prefix.cache} == {chat.context_used}


def begin(engine: Engine, system: str | None) -> Conversation:
    return Conversation(
        engine, budget=ThinkingBudget(None, given=False), system=system, max_tokens=110
    )


def play(chat: Conversation, text: str, budget: int | None, breaks_off: int | None) -> list[object]:
    """The events of a turn, without what depends on the clock or on the cache."""
    chat.budget = ThinkingBudget(budget, given=False)
    stream = chat.stream(text)
    events = list(islice(stream, breaks_off))
    stream.close()
    return [plain(event) for event in events]


def plain(event: object) -> object:
    if isinstance(event, Done):
        return comparable(event.reply)
    return replace(event, seconds=0.0) if isinstance(event, ThinkingStopped) else event


def comparable(reply: Reply) -> Reply:
    return replace(reply, timing=Timing(), usage=replace(reply.usage, cached_tokens=0))
