"""Streamed text is the text of the whole; the attack would notice if it were not."""

from __future__ import annotations

import pytest

from qwen3_mlx.text.parser import Delta, ReplyParser
from qwen3_mlx.text.stream import StreamDecoder
from tests.trust import streaming
from tests.trust.streaming import (
    Vocabulary,
    characters,
    costs,
    is_linear,
    lists,
    try_ids,
    try_reply,
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
    assert tally.counts.total() == 2 * 500


def test_characters_of_all_of_unicode(vocabulary: Vocabulary) -> None:
    tally = unicode(vocabulary, step=97)
    assert not tally.fallen, tally.table()


def test_characters_byte_by_byte() -> None:
    tally = characters(step=97)
    assert not tally.fallen, tally.table()


def test_what_a_text_costs_is_told_for_several_lengths(bundled: Vocabulary) -> None:
    tally = costs(bundled, (100, 200))
    assert tally.counts.total() == 4 * 2
    assert list(tally.figures) == ["the time for 2 times the text, bundled"]


def test_a_cost_that_grows_with_the_text_is_noticed() -> None:
    lengths = (1_000, 2_000, 4_000, 8_000)
    assert is_linear(lengths, [1, 2, 4.5, 9])
    assert not is_linear(lengths, [1, 4, 16, 64])


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


class Mumbling(ReplyParser):
    """Sorts every second token alone."""

    def push(self, token: int) -> list[Delta]:
        return super().push(token) if token % 2 else []


def test_a_reply_that_is_not_all_shown_is_noticed(
    bundled: Vocabulary, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = bundled.tokenizer.encode("one two three")
    assert try_reply(bundled, ids) == "equal"
    monkeypatch.setattr(streaming, "ReplyParser", Mumbling)
    assert try_reply(bundled, ids) != "equal"


def test_half_characters_are_noticed(bundled: Vocabulary) -> None:
    tokenizer = bundled.tokenizer
    hasty = Hasty(tokenizer.token_bytes, tokenizer.is_control)
    assert try_ids(bundled, tokenizer.encode("👍"), hasty) != "equal"


def test_text_that_is_held_back_is_noticed(bundled: Vocabulary) -> None:
    tokenizer = bundled.tokenizer
    slow = Slow(tokenizer.stream_decoder())
    assert try_ids(bundled, tokenizer.encode("abcdefgh"), slow) == "more than 3 bytes held back"
