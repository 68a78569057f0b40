"""A turn that breaks off, at any moment and in any way, leaves only what was shown of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import mlx.core as mx
import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.events import AnswerDelta, Event, Reply, ThinkingDelta, ThinkingStopped
from qwen3_mlx.generation.decode import prefill
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.limits import ANSWER_RESERVE
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.text.qwen3_format import THINKING_2507

CHUNK = 8
BUDGET = 5
QUESTION = "What is 2 + 3?"


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a short prompt, too, is read in several."""
    assert prefill.__kwdefaults__ is not None
    monkeypatch.setitem(prefill.__kwdefaults__, "chunk", CHUNK)


@pytest.fixture
def begin(random_model: Qwen3, make_engine: Callable[..., Engine]) -> Callable[[], Conversation]:
    """A conversation that has had a short turn; in the next it thinks to the budget and answers."""
    engine = make_engine(random_model, THINKING_2507)

    def begin() -> Conversation:
        conversation = Conversation(engine, budget=ThinkingBudget(BUDGET))
        send_shortly(conversation, "Hi")
        conversation.max_tokens = BUDGET + len(engine.writer().stop_instruction) + ANSWER_RESERVE
        return conversation

    return begin


def send_shortly(conversation: Conversation, text: str) -> Reply:
    conversation.thinking, conversation.max_tokens = False, 4
    reply = conversation.send(text)
    conversation.thinking, conversation.max_tokens = True, None
    return reply


class Interrupts:
    """Raises KeyboardInterrupt within a layer, once that many layers have read their tokens."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._left = -1
        update = KVCache.update

        def interrupted(cache: KVCache, keys: mx.array, values: mx.array) -> object:
            held = update(cache, keys, values)
            self._left -= 1
            if self._left == 0:
                raise KeyboardInterrupt
            return held

        monkeypatch.setattr(KVCache, "update", interrupted)

    def after(self, layers: int) -> None:
        self._left = layers


def phase(events: list[Event]) -> str:
    """What a person saw last."""
    if any(isinstance(event, AnswerDelta) for event in events):
        return "answer"
    if any(isinstance(event, ThinkingStopped) for event in events):
        return "instruction"
    return "thoughts" if any(isinstance(event, ThinkingDelta) for event in events) else "prompt"


def shown(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, AnswerDelta))


def check_left_behind(
    conversation: Conversation, before: Conversation, whole: Conversation, events: list[Event]
) -> None:
    """What a broken-off turn leaves: the shown part of its answer, or nothing.

    Args:
        before: An equal conversation that the turn was never begun in.
        whole: One in which it came to its end.
    """
    ids = conversation._prefix.ids
    assert ids == whole._prefix.ids[: len(ids)]
    assert {layer.offset for layer in conversation._prefix.cache} == {len(ids)}
    if answer := shown(events):
        assert conversation.messages[:-1] == whole.messages[:-1]
        assert conversation.messages[-1]["interrupted"] is True
        assert conversation.messages[-1]["content"] == answer
    else:
        assert conversation.messages == before.messages


def check_goes_on_as_a_fresh_one(conversation: Conversation, fresh: Conversation) -> None:
    """The next turn equals that of a conversation which has read nothing yet, number for number."""
    fresh.clear()
    fresh.messages = list(conversation.messages)
    reply, expected = send_shortly(conversation, "And 7?"), send_shortly(fresh, "And 7?")
    assert reply.answer == expected.answer
    assert reply.usage.cached_tokens > 0
    assert expected.usage.cached_tokens == 0
    assert conversation._prefix.ids == fresh._prefix.ids
    for layer, other in zip(conversation._prefix.cache, fresh._prefix.cache, strict=True):
        assert layer.offset == other.offset == len(fresh._prefix.ids)
        assert mx.allclose(layer.keys, other.keys, rtol=1e-3, atol=1e-3)
        assert mx.allclose(layer.values, other.values, rtol=1e-3, atol=1e-3)


def test_ctrl_c_anywhere_in_the_network(
    begin: Callable[[], Conversation], monkeypatch: pytest.MonkeyPatch
) -> None:
    interrupts = Interrupts(monkeypatch)
    before, whole = begin(), begin()
    whole.send(QUESTION)
    phases = []
    for layers in range(1, 41, 2):  # of two: the second has not read what the first has
        conversation, events = begin(), list[Event]()
        interrupts.after(layers)
        with pytest.raises(KeyboardInterrupt):
            events.extend(conversation.stream(QUESTION))
        phases.append(phase(events))
        check_left_behind(conversation, before, whole, events)
        check_goes_on_as_a_fresh_one(conversation, begin())
    assert list(dict.fromkeys(phases)) == ["prompt", "thoughts", "instruction", "answer"]


@pytest.mark.parametrize("how", ["close", "stop"])
def test_a_stop_after_any_event(begin: Callable[[], Conversation], how: str) -> None:
    before, whole = begin(), begin()
    whole.send(QUESTION)
    phases = []
    for count in range(1, 12):
        conversation = begin()
        stream = conversation.stream(QUESTION)
        events = list(islice(stream, count))
        phases.append(phase(events))
        if how == "stop":
            conversation.stop()
            events += list(stream)[:-1]
        else:
            stream.close()
        check_left_behind(conversation, before, whole, events)
        check_goes_on_as_a_fresh_one(conversation, begin())
    assert list(dict.fromkeys(phases)) == ["thoughts", "instruction", "answer"]


def test_a_stop_while_the_prompt_is_read(begin: Callable[[], Conversation]) -> None:
    before, whole = begin(), begin()
    whole.send(QUESTION)
    conversation = begin()
    conversation.on_prefill = lambda done, total: conversation.stop()
    assert conversation.send(QUESTION).finish_reason == "user"
    conversation.on_prefill = None
    check_left_behind(conversation, before, whole, [])
    check_goes_on_as_a_fresh_one(conversation, begin())
