"""What gives a text away, and what does not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.text.verbatim import gives_away

THOUGHTS = "First I add the tens of both, then the ones.\n47+86=133\nThat is it"


@pytest.mark.parametrize(
    "sentence",
    [
        "It added the parts and then put them together.",
        "It thought of the tens of each number.",  # three words in a row: `the tens of`
        "",
        "...",
    ],
)
def test_words_that_anybody_uses_give_nothing_away(sentence: str) -> None:
    assert not gives_away(sentence, THOUGHTS)


@pytest.mark.parametrize(
    "sentence",
    [
        "I ADD the -- tens, was the plan.",  # four words in a row
        "It found 133 on the way.",  # a number
        "It found １３３ on the way.",
        "It ended with: that is it",  # a line of three words
    ],
)
def test_runs_lines_and_numbers_do(sentence: str) -> None:
    assert gives_away(sentence, THOUGHTS)


def test_what_is_known_may_be_said() -> None:
    known = "What is 47 + 86? First I add the tens of both, said Ann. It is 133."
    sentence = "As in: first I add the tens of both, 47 + 86 is 133."
    assert gives_away(sentence, THOUGHTS)
    assert not gives_away(sentence, THOUGHTS, known)


def test_short_thoughts_are_not_to_be_repeated_as_a_whole() -> None:
    assert gives_away("Its notes were: trivial!", "Trivial.")
    assert not gives_away("Its notes were: trivial!", "Trivial sum")
    assert not gives_away("It said nothing.", " \n")


def test_a_rare_word_tells_as_much_as_a_number() -> None:
    def is_rare(word: str) -> bool:
        return word == "zorblax"

    assert gives_away("It is about Zorblax.", "Zorblax lives here.", is_rare=is_rare)
    assert not gives_away("It is about Zorblax.", "He lives here.", is_rare=is_rare)
    assert not gives_away("It is about Zorblax.", "Zorblax lives", "Zorblax?", is_rare=is_rare)


@pytest.mark.parametrize(
    ("sentence", "away"),
    [
        ("答案是先把十位相加再算个位。", True),  # eight characters in a row
        ("它按位相加得到了答案。", False),
        ("それは十の位から足した。", False),
    ],
)
def test_scripts_without_spaces_are_counted_by_characters(sentence: str, away: bool) -> None:
    assert gives_away(sentence, "首先，我先把十位相加再算个位，然后检查结果。") is away


WORDS = st.lists(
    st.sampled_from(["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "字", "の"]), min_size=4
)


@given(thoughts=WORDS, data=st.data())
def test_four_words_from_anywhere_are_found_whatever_is_around_them(
    thoughts: list[str], data: st.DataObject
) -> None:
    words = [word for word in thoughts if word.isascii()]
    start = data.draw(st.integers(0, max(0, len(words) - 4)))
    quoted = " ".join(words[start : start + 4]).upper()
    if len(words) >= 4:
        assert gives_away(f"It said: {quoted}, and more.", " ".join(words))
