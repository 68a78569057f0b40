"""`load(kv_bits=..., max_kv=...)`: what is refused, and that the bundled models still answer."""

from __future__ import annotations

from functools import partial

import pytest

import qwen3_mlx
from qwen3_mlx.errors import UsageError
from qwen3_mlx.model.quantized_cache import QuantizedKVCache

QUESTION = "What is 47 + 86 + 12?"


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        ({"kv_bits": 5}, "kv_bits is 5"),
        ({"max_kv": 4}, "max_kv is 4"),
        ({"kv_bits": 8, "max_kv": 100}, "either rounded"),
    ],
)
def test_what_is_not_possible_is_refused(wishes: dict[str, int], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        qwen3_mlx.load("tiny", **wishes)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["tiny", "tiny-dense"])
def test_rounded_to_8_bits_from_the_start_it_still_adds(name: str) -> None:
    llm = qwen3_mlx.load(name, kv_bits=8)
    llm.model.layer_cache = partial(QuantizedKVCache, 8, llm.config.head_dim, 0)
    chat = llm.chat()
    assert chat.send(QUESTION).answer == "The answer is 145."
    assert chat.send(QUESTION).answer == "The answer is 145."


def test_a_long_enough_window_changes_nothing() -> None:
    replies = [llm.generate(QUESTION) for llm in (qwen3_mlx.load("tiny", max_kv=200),)]
    assert replies[0].answer == "The answer is 145."


def test_a_chat_goes_on_after_its_beginning_has_slid_out() -> None:
    """The old thoughts leave the history, and with them what the cache still held is of no use."""
    llm = qwen3_mlx.load("tiny", max_kv=40)
    chat = llm.chat(budget=30)
    for _ in range(6):
        reply = chat.send(QUESTION)
    assert reply.usage.prompt_tokens > 150
    assert len(chat.messages) == 12
