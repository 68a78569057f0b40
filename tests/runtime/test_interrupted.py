"""Ctrl-C between two statements of the bookkeeping: nothing is lost, doubled or locked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from qwen3_mlx.chat import Conversation
from qwen3_mlx.generation import drafting, prefix
from qwen3_mlx.generation.ahead import HandOver
from qwen3_mlx.generation.drafting import DraftModel
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.compiled import CompiledStep
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.tools.chain import Chain
from tests.runtime.conftest import Script

Begin = Callable[..., Conversation]
Interrupt = Callable[..., None]


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Interrupt:
    """Lets Ctrl-C come at a call of a function, before it does anything or once it has."""

    def at(owner: object, name: str, *, call: int = 1, done: bool = False) -> None:
        function, calls = getattr(owner, name), iter(range(1, call + 1))

        def interrupted(*args: Any, **options: Any) -> Any:
            now = next(calls, None) == call
            if now and not done:
                raise KeyboardInterrupt
            result = function(*args, **options)
            if now:
                raise KeyboardInterrupt
            return result

        monkeypatch.setattr(owner, name, interrupted)

    return at


@pytest.fixture(autouse=True)
def _says_five(script: Script) -> None:
    script.tell("Two and three", "It is five.")


@pytest.mark.parametrize(("owner", "name"), [(Chain, "messages"), (Conversation, "_keep")])
@pytest.mark.parametrize("done", [False, True])
def test_a_turn_that_is_being_kept_is_kept_once(
    chat: Begin, interrupt: Interrupt, owner: object, name: str, done: bool
) -> None:
    conversation = chat()
    interrupt(owner, name, done=done)
    with pytest.raises(KeyboardInterrupt):
        conversation.send("What is 2 + 3?")
    assert [message["role"] for message in conversation.messages] == ["user", "assistant"]
    assert conversation.messages[-1]["content"] == "It is five."
    assert "interrupted" not in conversation.messages[-1]
    assert conversation.send("Again").answer == "It is five."


def test_a_turn_that_was_undone_does_not_come_back(chat: Begin) -> None:
    conversation = chat()
    stream = conversation.stream("What is 2 + 3?")
    while conversation._running is not None:
        next(stream)
    conversation.undo()
    stream.close()
    assert conversation.messages == []


def test_no_id_is_noted_that_the_cache_has_lost(
    random_model: Qwen3, make_engine: Callable[..., Engine], interrupt: Interrupt
) -> None:
    conversation = talk(random_model, make_engine)
    conversation.messages = []
    interrupt(prefix, "rewind", done=True)
    with pytest.raises(KeyboardInterrupt):
        conversation.send("Who?")
    held = conversation._prefix
    assert all(layer.offset >= len(held.ids) for layer in held.cache)


def talk(model: Qwen3, make_engine: Callable[..., Engine]) -> Conversation:
    """A conversation that has had a turn."""
    engine = make_engine(model)
    conversation = Conversation(
        engine, budget=ThinkingBudget(4), thinking=False, max_tokens=4, tools=[]
    )
    conversation.send("Hi")
    return conversation


@pytest.fixture
def stepping(random_model: Qwen3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens come from the steps of a compiled graph, which needs no compiler here."""
    step = CompiledStep(random_model)
    monkeypatch.setattr(step, "_run", step._graph)
    monkeypatch.setattr(random_model, "compiled", step)


@pytest.mark.parametrize("name", ["lend", "let_go", "give_back"])
@pytest.mark.parametrize("call", [1, 2])
@pytest.mark.parametrize("done", [False, True])
def test_buffers_that_were_lent_come_back(
    random_model: Qwen3,
    make_engine: Callable[..., Engine],
    stepping: None,
    interrupt: Interrupt,
    name: str,
    call: int,
    done: bool,
) -> None:
    """From both layers of the model."""
    conversation, fresh = (talk(random_model, make_engine) for _ in range(2))
    interrupt(KVCache, name, call=call, done=done)
    with pytest.raises(KeyboardInterrupt):
        conversation.send("What is 2 + 3?")
    held = conversation._prefix
    assert {layer.offset for layer in held.cache} == {len(held.ids)} != {0}
    check_goes_on(conversation, fresh)


def test_buffers_that_did_not_come_back_are_read_again(
    random_model: Qwen3,
    make_engine: Callable[..., Engine],
    stepping: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After Ctrl-C twice in one moment."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    conversation, fresh = (talk(random_model, make_engine) for _ in range(2))
    with monkeypatch.context() as patched:
        patched.setattr(KVCache, "give_back", interrupted)
        with pytest.raises(KeyboardInterrupt):
            conversation.send("What is 2 + 3?")
    assert conversation._prefix.ids == []
    check_goes_on(conversation, fresh)


def check_goes_on(conversation: Conversation, fresh: Conversation) -> None:
    """The next turn equals that of a conversation with the same messages."""
    fresh.clear()
    fresh.messages = list(conversation.messages)
    assert conversation.send("Well?").answer == fresh.send("Well?").answer
    assert conversation._prefix.ids == fresh._prefix.ids


@pytest.mark.parametrize("done", [False, True])
def test_a_draft_model_goes_on(random_model: Qwen3, interrupt: Interrupt, done: bool) -> None:
    ids = [5, 6, 7, 8]
    drafter, fresh = (DraftModel(random_model, 300) for _ in range(2))
    drafter.propose([*ids, 9])
    interrupt(drafting, "rewind", done=done)
    with pytest.raises(KeyboardInterrupt):
        drafter.propose(ids[:2])
    assert drafter.propose([*ids, 9]) == fresh.propose([*ids, 9])


def test_a_hand_over_that_was_broken_off_is_not_in_its_own_way() -> None:
    hand_over = HandOver()
    broken = hand_over.taken()
    broken.__enter__()  # and Ctrl-C comes before it is left
    with hand_over.taken(), ThreadPoolExecutor() as pool:
        assert pool.submit(hand_over._reading.acquire, blocking=False).result() is False
    del broken
    with hand_over.reading() as must_stop:
        assert not must_stop()


def test_whoever_stops_waiting_wants_nothing(interrupt: Interrupt) -> None:
    hand_over = HandOver()

    class Slow:
        def __enter__(self) -> None:
            raise KeyboardInterrupt

        def __exit__(self, *_: object) -> None:
            pass

    waiting, hand_over._reading = hand_over._reading, Slow()  # type: ignore[assignment]
    with pytest.raises(KeyboardInterrupt), hand_over.taken():
        pass
    hand_over._reading = waiting
    with hand_over.reading() as must_stop:
        assert not must_stop()
