"""Long conversations at random: whatever was said, stopped or taken back, the next is right."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import ContextOverflowError
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model import Qwen3
from qwen3_mlx.text.qwen3_format import HYBRID

TEXTS = st.sampled_from(["Hi", "What is 2 + 3? /no_think", "/think Why?", "größer 🤖", "And 7?"])
DEEDS = st.one_of(
    st.tuples(st.just("say"), TEXTS, st.none() | st.integers(1, 12)),
    st.tuples(st.sampled_from(["undo", "drop", "clear"]), st.just(""), st.none()),
    st.tuples(st.just("budget"), st.just(""), st.none() | st.integers(0, 9)),
)


@settings(max_examples=6, deadline=None)
@given(deeds=st.lists(DEEDS, min_size=30, max_size=30))
def test_invariants_hold(
    random_model: Qwen3,
    make_engine: Callable[..., Engine],
    deeds: list[tuple[str, str, int | None]],
) -> None:
    engine = make_engine(random_model, HYBRID)
    chat = begin(engine)
    for deed, text, number in deeds:
        do(chat, deed, text, number)
        roles = [message["role"] for message in chat.messages[1:]]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert {layer.offset for layer in chat._prefix.cache} == {chat._prefix.used}
    while len(chat.messages) > 12:  # or the last question would not fit
        chat.drop_oldest()
    fresh = begin(engine)
    fresh.messages = list(chat.messages)
    assert fresh.thinks == chat.thinks
    assert answer(chat) == answer(fresh)
    past = engine.tokenizer.decode(chat._prefix.ids).rpartition("<|im_start|>assistant\n")[0]
    assert "<think>" not in past


def begin(engine: Engine) -> Conversation:
    return Conversation(engine, budget=ThinkingBudget(8), system="Be brief.", max_tokens=110)


def do(chat: Conversation, deed: str, text: str, number: int | None) -> None:
    if deed == "say":
        events = chat.stream(text)
        try:
            list(islice(events, number))
        except ContextOverflowError:
            chat.drop_oldest()
        events.close()
    elif deed == "budget":
        chat.budget.set(number)
    else:
        {"undo": chat.undo, "drop": chat.drop_oldest, "clear": chat.clear}[deed]()


def answer(chat: Conversation) -> tuple[str, str]:
    chat.budget.set(8)
    reply = chat.send("Well?")
    return reply.thinking, reply.answer
