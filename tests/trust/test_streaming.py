"""Streamed text is the text of the whole; the attack would notice if it were not."""

from __future__ import annotations

import pytest

from qwen3_mlx.text.stream import StreamDecoder
from tests.trust.streaming import (
    Vocabulary,
    characters,
    lists,
    try_ids,
    unicode,
    vocabularies,
)


@pytest.fixture(scope="module")
def every(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Vocabulary]:
    return {each.name: each for each in vocabularies(tmp_path_factory.mktemp("real"))}


@pytest.fixture(params=["bundled", "Qwen3's own"])
def vocabulary(request: pytest.FixtureRequest, every: dict[str, Vocabulary]) -> Vocabulary:
    if request.param not in every:
        pytest.skip("needs Qwen3's own tokenizer: set QWEN3_MLX_TOKENIZER to its folder")
    return every[request.param]


@pytest.fixture
def bundled(every: dict[str, Vocabulary]) -> Vocabulary:
    return every["bundled"]


def test_lists_at_random(vocabulary: Vocabulary) -> None:
    tally = lists(vocabulary, 500, seed=1)
    assert not tally.fallen, tally.table()
    assert tally.counts.total() == 500


def test_characters_of_all_of_unicode(vocabulary: Vocabulary) -> None:
    tally = unicode(vocabulary, step=97)
    assert not tally.fallen, tally.table()


def test_characters_byte_by_byte() -> None:
    tally = characters(step=97)
    assert not tally.fallen, tally.table()


class Hasty(StreamDecoder):
    """Shows half a character as soon as it comes."""

    def push(self, token: int) -> str:
        return super().push(token) + self.flush()


class Slow(StreamDecoder):
    """Shows nothing before the end."""

    def __init__(self, sound: StreamDecoder) -> None:
        self._sound = sound
        self._kept = ""

    def push(self, token: int) -> str:
        self._kept += self._sound.push(token)
        return ""

    def flush(self) -> str:
        return self._kept + self._sound.flush()


def test_half_characters_are_noticed(bundled: Vocabulary) -> None:
    tokenizer = bundled.tokenizer
    hasty = Hasty(tokenizer.token_bytes, tokenizer.is_control)
    assert try_ids(bundled, tokenizer.encode("👍"), hasty) != "equal"


def test_text_that_is_held_back_is_noticed(bundled: Vocabulary) -> None:
    tokenizer = bundled.tokenizer
    slow = Slow(tokenizer.stream_decoder())
    assert try_ids(bundled, tokenizer.encode("abcdefgh"), slow) == "more than 3 bytes held back"
