from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.text.stream import StreamDecoder
from qwen3_mlx.text.tokenizer import Tokenizer

# Real vocabularies cut characters anywhere; here every byte is a token of its own.
SAMPLES = {
    "emoji": "👍🎉🦄",
    "emoji of several": "👩‍👩‍👧‍👦 🤷🏽‍♂️ ❤️‍🔥",
    "flags": "🇩🇪🇯🇵🏴󠁧󠁢󠁳󠁣󠁴󠁿",
    "chinese": "今天天气怎么样？",
    "rare chinese": "𠜎𠜱𡿺",
    "japanese": "ガラスを食べられます。",
    "korean": "안녕하세요",
    "arabic": "مرحبا بالعالم ﷽",
    "hebrew": "שָׁלוֹם",
    "hindi": "नमस्ते क्षत्रिय",
    "thai": "ภาษาไทย",
    "combining marks": "e\u0301 n\u0303 Z\u0351\u036b\u0343",
    "mathematics": "∀x∈ℝ 𝔘𝔫𝔦",
    "mixed": "aé好👍b\u0301\n",
}


@pytest.fixture(scope="session")
def byte_stream() -> Callable[[], StreamDecoder]:
    return lambda: StreamDecoder(lambda byte: bytes([byte]), lambda _: False)


@pytest.mark.parametrize("name", SAMPLES)
def test_characters_come_whole(byte_stream: Callable[[], StreamDecoder], name: str) -> None:
    stream, text = byte_stream(), SAMPLES[name]
    shown = [stream.push(byte) for byte in text.encode()]
    assert "".join(shown) + stream.flush() == text
    assert [piece for piece in shown if piece] == list(text)


@pytest.mark.parametrize("name", SAMPLES)
def test_streamed_ids_equal_the_whole(tokenizer: Tokenizer, name: str) -> None:
    ids = tokenizer.encode(SAMPLES[name])
    stream = tokenizer.stream_decoder()
    shown = "".join(map(stream.push, ids))
    assert shown + stream.flush() == tokenizer.decode(ids)
    assert "\ufffd" not in shown


@given(data=st.binary(max_size=40))
def test_bytes_that_are_no_text_are_replaced_as_in_the_whole(
    byte_stream: Callable[[], StreamDecoder], data: bytes
) -> None:
    stream = byte_stream()
    shown = "".join(map(stream.push, data)) + stream.flush()
    assert shown == data.decode("utf-8", "replace")


@given(data=st.binary(max_size=20))
def test_pending_means_inside_a_character(
    byte_stream: Callable[[], StreamDecoder], data: bytes
) -> None:
    stream = byte_stream()
    shown = "".join(map(stream.push, data))
    assert stream.pending == (shown != data.decode("utf-8", "replace"))
    stream.flush()
    assert not stream.pending


def test_a_stream_that_breaks_off_ends_in_one_replacement(
    byte_stream: Callable[[], StreamDecoder],
) -> None:
    stream = byte_stream()
    assert [stream.push(byte) for byte in "👍".encode()[:3]] == ["", "", ""]
    assert stream.flush() == "\ufffd"
    assert stream.flush() == ""


def test_a_control_token_ends_a_character(tokenizer: Tokenizer) -> None:
    first, end = tokenizer.encode("👍")[0], tokenizer.control.im_end
    assert end is not None
    stream = tokenizer.stream_decoder()
    assert stream.push(first) == ""
    assert stream.push(end) == "\ufffd<|im_end|>"


def test_each_id_is_looked_at_once() -> None:
    looked: list[int] = []

    def token_bytes(token: int) -> bytes:
        looked.append(token)
        return b"x"

    stream = StreamDecoder(token_bytes, lambda _: False)
    for token in range(1000):
        stream.push(token)
    assert looked == list(range(1000))


def test_a_run_prefix_is_dropped_once_per_run() -> None:
    words = {0: b" Hello", 1: b" there", 2: b"<end>", 3: b" again"}
    stream = StreamDecoder(words.__getitem__, {2}.__contains__, b" ")
    assert [stream.push(token) for token in (0, 1, 2, 3, 1)] == [
        *("Hello", " there", "<end>", "again", " there")
    ]
