"""A message taken apart: where its request is, and what it brings along."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.text.asked import CODE, LOOK, QUOTED, take_apart


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("Who wrote it?", "Who wrote it?", "Who wrote it?"),
        ("Tom has 3. Mia has 4. Who has more?", "Tom has 3.", "Who has more?"),
        ("Into French: Where is it?", "Into French:", "Into French: Where is it?"),
        ("Ann: 41\nBob: 17\nHow old is Bob?", "How old is Bob?", "How old is Bob?"),
        ("How old is Bob?\nAnn: 41\nBob: 17", "How old is Bob?", "How old is Bob?"),
        ("Sum it up:\nOne. Two.\nThree.", "Sum it up:", "Sum it up:"),
        ("Copy this.\nOne. Two.", "Copy this.", "Two."),
        ("Hello! Who wrote it? Thanks.", "Who wrote it?", "Who wrote it?"),
        ("これは本です。作者は誰?", "これは本です。", "作者は誰?"),
        ("Thanks!", "Thanks!", "Thanks!"),
        ("", "", ""),
        (" \n\n ", "", ""),
    ],
)
def test_where_the_request_is(text: str, first: str, last: str) -> None:
    message = take_apart(text)
    assert (message.first, message.last) == (first, last)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ('Say "2 + 3" in words', f"Say {QUOTED} in words"),
        ("Was heißt „Käse“?", f"Was heißt {QUOTED}?"),
        ("«a» and 「b」", f"{QUOTED} and {QUOTED}"),
        ('one " alone', 'one " alone'),
        ("why?\n```\n1 + 1\n```", f"why?\n\n{CODE}\n"),
        ("why?\n```\nno end", f"why?\n\n{CODE}\n"),
        ("何時?", "何時?"),  # a question mark of full width becomes a plain one
    ],
)
def test_quotations_and_code_are_masked(text: str, whole: str) -> None:
    assert take_apart(text).whole == whole


def test_the_typed_part_asks_and_all_of_it_counts() -> None:
    message = take_apart("a file\n\nWho?", "Who?")
    assert (message.whole, message.length, message.pasted) == ("Who?", 12, True)
    assert take_apart("a file", "").whole == "a file"  # nothing was typed
    assert not take_apart("Who?").pasted


def test_the_middle_of_a_long_message_is_not_looked_at() -> None:
    ends = "a" * LOOK, "b" * LOOK
    assert take_apart("x".join(ends)).whole == "\n".join(ends)


@given(st.text(max_size=3 * LOOK))
def test_any_text_can_be_taken_apart(text: str) -> None:
    message = take_apart(text)
    assert len(message.whole) <= 4 * LOOK + 2
    assert message.lines >= 1
