"""The display filter, by example and by property."""

from __future__ import annotations

import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.cli.filter import DisplayFilter, clean, clean_line, uncovered

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
PIECES = [
    "\x1b", "[", "]", "P", "\\", "31m", "2J", "0;title", "\x07", "\x9b", "\x9c", "\x9d", "\x90",
    "\r", "\n", "\t", "\x08", "\x7f", "\u202e", "\u2066", "\u200d", "👩", "é", " ", "text",
    "\ud800",
]  # fmt: skip
hostile = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=3))).map("".join)


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain text\n\twith a tab", "plain text\n\twith a tab"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b[2J\x1b[1;1Hgone", "gone"),
        ("\x1b]0;a title\x07after", "after"),
        ("\x1b]8;;https://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1bP1$r0m\x1b\\after", "after"),
        ("\x1b_G payload\x1b\\after", "after"),
        ("\x9b31mred", "red"),
        ("\x9d0;a title\x9cafter", "after"),
        ("\x90q sixels\x9cafter", "after"),
        ("\x1b(0line drawing", "line drawing"),
        ("\x1bcreset", "reset"),
        ("\x1b\x1b[31mtwice", "twice"),
        ("real\rfake", "realfake"),
        ("windows\r\nlines", "windows\nlines"),
        ("back\x08\x08space", "backspace"),
        ("bell\x07 null\x00 del\x7f", "bell null del"),
        ("user\u202etxt.exe", "usertxt.exe"),
        ("\u2067isolated\u2069", "isolated"),
        ("\x1béclair", "éclair"),
        ("\ud83d half a pair", "\ufffd half a pair"),
    ],
)
def test_what_is_shown(raw: str, shown: str) -> None:
    assert clean(raw) == shown


PEOPLE = ["👩‍👩‍👧‍👦 ❤️ 🏴󠁧󠁢󠁥󠁮󠁧󠁿", "می‌خواهم", "שלום\u200f", "e\u0301", "日本語", "नमस्ते"]


@pytest.mark.parametrize("text", PEOPLE)
def test_text_of_people_is_kept(text: str) -> None:
    assert clean(text) == text


def test_an_unfinished_sequence_cannot_swallow_the_next_line() -> None:
    assert clean("\x1b]0;never closed\nthe answer is 5") == "\nthe answer is 5"
    assert clean("\x1b[31\nthe answer is 5") == "\nthe answer is 5"


def test_a_name_is_one_line() -> None:
    assert clean_line("tiny\n\x1b[1Aerror: all is well\t!") == "tiny error: all is well !"


def test_what_reorders_an_edited_line_is_seen() -> None:
    assert uncovered("user\u202etxt.exe\u2066 שלום") == "user\ufffdtxt.exe\ufffd שלום"


@given(hostile, st.lists(st.integers(min_value=0, max_value=60)))
def test_cutting_into_chunks_changes_nothing(text: str, cuts: list[int]) -> None:
    whole = DisplayFilter()
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    chunks = [text[start:stop] for start, stop in pairwise(edges)]
    assert "".join(map(whole.feed, chunks)) == clean(text)


@given(hostile)
def test_nothing_dangerous_is_left(text: str) -> None:
    shown = clean(text)
    assert not [char for char in shown if unicodedata.category(char) == "Cc" and char not in "\n\t"]
    assert not set(shown) & set(BIDI)
    shown.encode("utf-8")


@given(hostile)
def test_filtering_twice_is_filtering_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)


@given(st.text(alphabet=st.characters(exclude_categories=("Cc", "Cs"), exclude_characters=BIDI)))
def test_harmless_text_is_unchanged(text: str) -> None:
    assert clean(text) == text
