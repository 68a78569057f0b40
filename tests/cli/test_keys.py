"""Keys among bytes: what is one, what is not, wherever the bytes are cut."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.cli.keys import KeyDecoder


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        (b"+", "+"),
        (b"++", "++"),
        (b"=12\r", "=12\r"),
        ("é+日本-👩".encode(), "+-"),
        (b"\x1b[A", ""),
        (b"\x1b[1;5C+", "+"),
        (b"\x1bOP+", "+"),
        (b"\x1b[15~+", "+"),
        (b"\x1b\x1b[A", ""),
        (b"\x1b ", ""),
        (b"\x1bx+", "+"),
        (b"\x1b[24;80R+", "+"),
        (b"\x1b]11;rgb:00/00/00\x07+", "+"),
        (b"\x1b]11;rgb:00/00/00\x1b\\+", "+"),
        (b"\x1bP1+r\x1b\\+", "+"),
        (b"\x1b[200~ + = \x1b[A\n\x1b[201~-", "-"),
    ],
)
def test_keys(data: bytes, keys: str) -> None:
    assert "".join(KeyDecoder().feed(data)) == keys


def test_a_lone_escape_is_a_key_once_nothing_follows() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b") == []
    assert decoder.pause() == ["\x1b"]
    assert decoder.feed(b"+") == ["+"]


def test_escape_twice_at_once_is_one() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b\x1b") + decoder.pause() == ["\x1b"]


def test_a_sequence_that_never_ends_is_given_up() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[1;") + decoder.pause() == []
    assert decoder.feed(b"+") == ["+"]


def test_slow_pasting_is_pasting() -> None:
    decoder = KeyDecoder()
    assert decoder.feed(b"\x1b[200~one ") + decoder.pause() + decoder.feed(b"+ two") == []
    assert decoder.feed(b"\x1b[201~+") == ["+"]


pieces = st.sampled_from(
    [b"+", b"-", b" ", b"\x1b[A", b"\x1b[200~ + \x1b[201~", b"\x1bOP", "é".encode(), b"\x1bx"]
)


@given(st.lists(pieces).map(b"".join), st.lists(st.integers(0, 60)))
def test_cutting_changes_nothing(data: bytes, cuts: list[int]) -> None:
    decoder = KeyDecoder()
    edges = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    cut = [key for start, stop in pairwise(edges) for key in decoder.feed(data[start:stop])]
    assert cut == KeyDecoder().feed(data)


@given(st.binary())
def test_any_bytes_come_to_an_end(data: bytes) -> None:
    decoder = KeyDecoder()
    assert all(key.isascii() for key in decoder.feed(data))


@pytest.mark.parametrize(("data", "idle"), [(b"+", True), (b"\x1b", False), (b"\x1b[1", False)])
def test_it_knows_whether_something_is_half_read(data: bytes, idle: bool) -> None:
    decoder = KeyDecoder()
    decoder.feed(data)
    assert decoder.idle is idle
