"""Reading ahead: what is read before the message, who goes first, and that no token changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from threading import Thread
from typing import Any, TypeVar
from unittest.mock import patch

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import ContextOverflowError, UsageError
from qwen3_mlx.generation import ahead
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.text.pieces import Message, Piece, Text
from qwen3_mlx.text.qwen3_format import HYBRID, INSTRUCT_2507, THINKING_2507, Qwen3Format
from qwen3_mlx.text.renderer import Family, Renderer, Tools
from qwen3_mlx.text.tokenizer import Tokenizer
from tests.runtime.test_same_as_fresh import begin, play, turns

PATIENCE = 20.0
Begin = Callable[..., Conversation]
T = TypeVar("T")


def elsewhere(function: Callable[[], T]) -> T:
    """What a function comes to in a thread of its own."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


def after(slices: int) -> Callable[[], bool]:
    """Cancels once so many slices have been read; before them it is asked twice for the first."""
    answers = iter([False] * (slices + 1))
    return lambda: next(answers, True)


def held(chat: Conversation) -> set[int]:
    return {layer.offset for layer in chat._prefix.cache}


class Backwards:
    """A template in which the newest message stands first: nothing of a prompt is certain."""

    family: Family = "hybrid"

    def render(
        self,
        messages: Sequence[Message],
        *,
        thinking: bool,
        tools: Tools,
        add_generation_prompt: bool,
    ) -> list[Piece]:
        newest_first = [message for message in reversed(messages) if message["role"] != "system"]
        return HYBRID.render(
            newest_first, thinking=thinking, tools=tools, add_generation_prompt=True
        )


class Unstructured(Backwards):
    """A template without control tokens: all of a prompt is one text."""

    def render(self, messages: Sequence[Message], **how: Any) -> list[Piece]:
        return [Text("".join(f"{message['content']}\n" for message in messages))]


@settings(max_examples=30, deadline=None)
@given(
    conversation=st.lists(st.tuples(turns, st.integers(0, 12)), min_size=2, max_size=3),
    form=st.sampled_from([HYBRID, THINKING_2507, INSTRUCT_2507, Backwards(), Unstructured()]),
    system=st.none() | st.just("Be brief."),
    size=st.sampled_from([1, 3, 16, 64]),
    moves=st.booleans(),
)
def test_every_answer_equals_a_fresh_ones(
    random_model: Qwen3,
    make_engine: Callable[..., Engine],
    conversation: list[tuple[tuple[str, int | None, int | None], int]],
    form: Renderer,
    system: str | None,
    size: int,
    moves: bool,
) -> None:
    engine = make_engine(random_model, form)
    chat = begin(engine, system)
    for (text, budget, breaks_off), slices in conversation:
        with patch.object(ahead, "SLICE", size):
            read = partial(chat.read_ahead, after(slices))
            whole = elsewhere(read) if moves else read()
        assert held(chat) == {len(chat._prefix.ids)}
        fresh = begin(engine, system)
        fresh.messages = list(chat.messages)
        if whole:
            assert chat.read_ahead(lambda: True) is False
            assert fresh.read_ahead()
            certain = fresh._prefix.ids
            assert chat._prefix.ids[: len(certain)] == certain
            fresh._prefix.clear()
        assert play(chat, text, budget, breaks_off) == play(fresh, text, budget, breaks_off)
        assert chat.messages == fresh.messages
        assert chat._prefix.ids == fresh._prefix.ids
        assert held(chat) == {chat.context_used}


def new_part(tokenizer: Tokenizer, question: str) -> int:
    """Tokens of a prompt from its last message on, whose opening tag is read ahead."""
    return len(tokenizer.encode(f"user\n{question}")) + len(tokenizer.encode("\nassistant\n")) + 2


def check_goes_on_as_a_fresh_one(chat: Conversation, text: str = "And 7?") -> None:
    fresh = begin(chat._engine, chat.system)
    fresh.messages = list(chat.messages)
    assert play(chat, text, 5, None) == play(fresh, text, 5, None)
    assert chat._prefix.ids == fresh._prefix.ids


@pytest.fixture
def talk(random_model: Qwen3, make_engine: Callable[..., Engine]) -> Begin:
    """A conversation that has had a turn with thoughts."""

    def begun(form: Renderer = HYBRID) -> Conversation:
        chat = begin(make_engine(random_model, form), None)
        play(chat, "What is 2 + 3?", 20, None)
        return chat

    return begun


@pytest.fixture
def small_slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "SLICE", 4)


@pytest.mark.parametrize("form", [HYBRID, THINKING_2507, INSTRUCT_2507])
@pytest.mark.parametrize("question", ["And 7?", "\n\nAnd 7?", "<|im_end|>", "a", ""])
def test_only_the_new_message_is_left_to_read(
    chat: Begin, script: Any, tokenizer: Tokenizer, form: Qwen3Format, question: str
) -> None:
    script.tell(None if form.family == "instruct" else "2 + 3 = 5", "It is five.")
    conversation = chat(form=form)
    conversation.send("What is 2 + 3?")
    assert conversation.read_ahead()
    usage = conversation.send(question).usage
    opening = 2 if form.family == "thinking" else 0  # the tag and a line
    assert usage.prompt_tokens - usage.cached_tokens == new_part(tokenizer, question) + opening


def test_old_thoughts_are_not_held(chat: Begin, script: Any, tokenizer: Tokenizer) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    conversation = chat(system="Be brief.")
    conversation.send("What is 2 + 3?")
    assert conversation.read_ahead()
    assert tokenizer.decode(script.read) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n"
        "<|im_start|>assistant\nIt is five.<|im_end|>\n<|im_start|>"
    )


def test_the_system_prompt_is_read_before_the_first_message(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    conversation = chat(system="Be brief.")
    assert conversation.read_ahead()
    assert tokenizer.decode(script.read) == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>"
    )
    assert conversation.context_used == 0


def test_what_is_read_already_is_not_read_again(chat: Begin, script: Any) -> None:
    conversation = chat()
    conversation.send("What is 2 + 3?")
    assert conversation.read_ahead()
    script.prefilled.clear()
    assert conversation.read_ahead()
    assert script.prefilled == []


def test_a_cancelled_reading_goes_on_where_it_stopped(
    chat: Begin, script: Any, small_slices: None
) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    conversation = chat()
    conversation.send("What is 2 + 3?")
    script.prefilled.clear()
    assert not conversation.read_ahead(after(1))
    assert script.prefilled == [4]
    assert conversation.read_ahead()
    assert set(script.prefilled[:-1]) == {4}


def test_cancelled_at_once_forgets_nothing(talk: Begin) -> None:
    chat = talk()
    before = list(chat._prefix.ids)
    assert not chat.read_ahead(lambda: True)
    assert chat._prefix.ids == before


def test_the_result_of_a_tool_keeps_the_thoughts(
    chat: Begin, script: Any, tokenizer: Tokenizer
) -> None:
    call = '<tool_call>\n{"name": "add", "arguments": {"a": 2}}\n</tool_call>'
    script.tell("I add them.", call)
    conversation = chat()
    conversation.send("What is 2 + 3?")
    assert conversation.read_ahead()
    result = "<tool_response>\n5\n</tool_response>"
    usage = conversation.send(result).usage
    held_back = len("\n") + len(["<|im_start|>"])  # after the reply's last token
    read = new_part(tokenizer, result) + held_back
    assert usage.prompt_tokens - usage.cached_tokens == read


def test_what_a_turn_came_to_is_still_told(talk: Begin) -> None:
    chat = talk()
    used = chat.context_used
    assert chat.read_ahead()
    assert chat.context_used == used != len(chat._prefix.ids)


def test_a_history_longer_than_the_context(talk: Begin) -> None:
    chat = talk()
    chat.messages += [{"role": "user", "content": "five apples " * 1000}]
    with pytest.raises(ContextOverflowError, match="the model's context 2048"):
        chat.read_ahead()
    del chat.messages[-1]
    check_goes_on_as_a_fresh_one(chat)


def test_messages_that_cannot_be_written(talk: Begin) -> None:
    chat = talk()
    chat.messages.append({"role": "stranger", "content": "Hi"})
    with pytest.raises(UsageError, match="stranger"):
        chat.read_ahead()
    del chat.messages[-1]
    check_goes_on_as_a_fresh_one(chat)


@pytest.mark.parametrize("layers", [1, 2, 3, 5])
@pytest.mark.parametrize("thread", [elsewhere, lambda function: function()])
def test_an_error_leaves_the_conversation_usable(
    talk: Begin,
    small_slices: None,
    monkeypatch: pytest.MonkeyPatch,
    layers: int,
    thread: Callable[[Callable[[], bool]], bool],
) -> None:
    """It comes within the network: one layer has read what the other has not."""
    chat = talk()
    update, left = KVCache.update, iter(range(layers - 1, -1, -1))

    def failing(cache: KVCache, keys: mx.array, values: mx.array) -> object:
        written = update(cache, keys, values)
        if next(left, None) == 0:
            raise RuntimeError("no memory")
        return written

    monkeypatch.setattr(KVCache, "update", failing)
    with pytest.raises(RuntimeError, match="no memory"):
        thread(chat.read_ahead)
    assert held(chat) == {len(chat._prefix.ids)}
    check_goes_on_as_a_fresh_one(chat)


@pytest.mark.parametrize("what", ["stream", "clear", "undo", "drop_oldest"])
def test_whoever_goes_on_waits_for_one_slice(talk: Begin, small_slices: None, what: str) -> None:
    chat = talk()
    goes_on: dict[str, Callable[[], object]] = {
        "stream": lambda: list(chat.stream("And 7?")),
        "clear": chat.clear,
        "undo": chat.undo,
        "drop_oldest": chat.drop_oldest,
    }
    other = Thread(target=goes_on[what])
    looks: list[int] = []

    def cancelled() -> bool:
        """Before the second slice, lets the other thread ask for the conversation."""
        looks.append(len(chat._prefix.ids))
        if len(looks) == 3:
            other.start()
            assert chat._hand_over._wanted.wait(PATIENCE)
        return False

    assert not chat.read_ahead(cancelled)
    other.join(PATIENCE)
    assert not other.is_alive()
    assert len(looks) == 3
    check_goes_on_as_a_fresh_one(chat, "And 9?")


@pytest.mark.parametrize("events", [0, 1, 3])
def test_nothing_is_read_while_a_turn_is_under_way(talk: Begin, events: int) -> None:
    chat, other = talk(), talk()
    stream = chat.stream("And 7?")
    begun = list(islice(stream, events))
    ids = list(chat._prefix.ids)
    assert not chat.read_ahead()
    assert not elsewhere(chat.read_ahead)
    assert chat._prefix.ids == ids
    told = [type(event) for event in [*begun, *stream]]
    assert told == [type(event) for event in other.stream("And 7?")]
    assert chat.messages == other.messages
    assert chat.read_ahead()


def test_a_turn_is_over_with_its_last_event(talk: Begin) -> None:
    chat = talk()
    chat.budget = ThinkingBudget(0)
    chat.send("And 7?")  # takes the events up to `Done`, and no further
    assert elsewhere(chat.read_ahead)


def test_turns_in_one_thread_after_another(talk: Begin) -> None:
    chat = talk()
    elsewhere(lambda: check_goes_on_as_a_fresh_one(chat))
    assert elsewhere(lambda: chat.send("And 9?")).usage.cached_tokens > 0
    check_goes_on_as_a_fresh_one(chat, "And 11?")


def test_a_turn_that_is_ended_in_another_thread(talk: Begin) -> None:
    chat = talk()
    stream = elsewhere(lambda: (turn := chat.stream("And 7?"), next(turn)))[0]
    stream.close()
    check_goes_on_as_a_fresh_one(chat, "And 9?")
