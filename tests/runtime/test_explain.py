"""One sentence about the thoughts: asked for apart, and never the thoughts themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import cast

import mlx.core as mx
import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import NonFiniteError
from qwen3_mlx.events import Reply
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.explain import MATERIAL, explain
from qwen3_mlx.model.cache import KVCache, LayerCache
from tests.runtime.conftest import MakeEngine, Script

THOUGHTS = "2 and then 3\nthat makes 31415"
PLAIN = "It thought for {} tokens before it answered."

Chat = Callable[..., Conversation]


@pytest.fixture
def reply(script: Script, chat: Chat) -> Reply:
    script.tell(THOUGHTS, "It is five.")
    return chat().send("What is 2 + 3?")


@pytest.fixture
def engine(script: Script, make_engine: MakeEngine) -> Engine:
    return make_engine(script)


def explained(engine: Engine, script: Script, reply: Reply, sentence: str) -> str:
    script.tell(None, sentence)
    return explain(engine, "What is 2 + 3?", reply)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("It added the two.", "It added the two."),
        ("\n It added the two. And more. ", "It added the two."),
        ("It added v1.5 of it\nand more", "It added v1.5 of it"),
        ("两个数相加。然后回答。", "两个数相加。"),
    ],
)
def test_one_sentence_comes_of_what_the_model_says(
    engine: Engine, script: Script, reply: Reply, said: str, sentence: str
) -> None:
    assert explained(engine, script, reply, said) == sentence


def test_a_sentence_without_end_is_cut_off(engine: Engine, script: Script, reply: Reply) -> None:
    sentence = explained(engine, script, reply, "and so on " * 30)
    assert sentence.startswith("and so on and so on")
    assert sentence.endswith("…")


@pytest.mark.parametrize(
    "said",
    [
        THOUGHTS,
        "The notes say: 2 and then 3.",
        "It came to 31415 first.",
        "It thought that makes 31415.",
        "",
        "...",
    ],
)
def test_what_gives_the_thoughts_away_is_replaced(
    engine: Engine, script: Script, reply: Reply, said: str
) -> None:
    sentence = explained(engine, script, reply, said)
    assert "31415" not in sentence
    assert sentence == PLAIN.format(reply.usage.thinking_tokens)


def test_a_rare_word_of_the_thoughts_is_not_said(
    engine: Engine, script: Script, chat: Chat
) -> None:
    script.tell("Zyxwvut is the key", "It is five.")
    reply = chat().send("What is 2 + 3?")
    assert "five" in explained(engine, script, reply, "It was five.")
    assert "yxw" not in explained(engine, script, reply, "It used Zyxwvut for it.").casefold()


def test_it_is_asked_without_thinking_and_with_all_three_parts(
    engine: Engine, script: Script, reply: Reply
) -> None:
    explained(engine, script, reply, "It added the two.")
    asked = engine.tokenizer.decode(script.read)
    for part in ("What is 2 + 3?", THOUGHTS, "It is five.", "<think>\n\n</think>"):
        assert part in asked


def test_long_thoughts_are_shortened(engine: Engine, script: Script, reply: Reply) -> None:
    long = replace(reply, thinking=f"start {'x ' * MATERIAL} end")
    explained(replace(engine, context_length=100_000), script, long, "It added the two.")
    asked = engine.tokenizer.decode(script.read)
    assert asked.count("x") < MATERIAL / 2 + 50
    assert "start x" in asked
    assert "x  end" in asked


def test_no_thoughts_no_sentence(engine: Engine, script: Script, chat: Chat) -> None:
    script.tell(None, "It is five.")
    reply = chat(thinking=False).send("What is 2 + 3?")
    script.prefilled.clear()
    assert explain(engine, "What is 2 + 3?", reply) == ""
    assert script.prefilled == []


def test_it_can_be_given_up(engine: Engine, script: Script, reply: Reply) -> None:
    script.tell(None, "It added the two.")
    assert explain(engine, "What is 2 + 3?", reply, stopped=lambda: True) == ""


def test_without_room_to_ask_the_count_is_told(
    engine: Engine, script: Script, reply: Reply
) -> None:
    small = replace(engine, context_length=100)
    assert explained(small, script, reply, "It added.") == PLAIN.format(reply.usage.thinking_tokens)


def test_the_conversation_goes_on_as_if_nothing_had_been_asked(
    script: Script, chat: Chat, engine: Engine
) -> None:
    conversation, other = chat(), chat()
    script.tell(THOUGHTS, "It is five.")
    for talk in (conversation, other):
        reply = talk.send("What is 2 + 3?")
    explained(engine, script, reply, "It added the two.")
    script.tell(THOUGHTS, "It is six.")
    script.read = []
    first, second = conversation.send("And 2 + 4?"), other.send("And 2 + 4?")
    assert first.answer == second.answer
    assert first.usage == second.usage
    assert first.usage.cached_tokens > 0
    assert conversation.messages == other.messages


def test_numbers_that_are_not_finite_are_an_error(
    engine: Engine, script: Script, reply: Reply, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        script.advance(ids, cast("Sequence[KVCache]", cache))
        return mx.full((1, script.config.vocab_size), float("nan"))

    monkeypatch.setattr(script, "last_logits", broken)
    with pytest.raises(NonFiniteError):
        explain(engine, "What is 2 + 3?", reply)
