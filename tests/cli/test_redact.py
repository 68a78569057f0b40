"""Redaction: where a text is cut makes no difference, and no pattern hangs or leaks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.cli import redact
from qwen3_mlx.cli.redact import LONGEST, Redaction
from qwen3_mlx.errors import UsageError

PATTERNS = (
    *("ab", "a+b", r"\d{3}-\d{4}", "a|ab", "ab|a", "a.c", "ab?c", "(ab)+", "[^a]b+", r"(\w)\1"),
    *("foo$", "^foo", r"\bfoo\b", r"\Bab", "b$\n", "a\nb", "(?i)FOO", r"\w+@\w+"),
    *("a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", "a(?=.*b)", "a(?!.*b)"),
    *("a.*b", "a.*?b", "(?s)a.*?b", "x*a"),
)
TEXTS = st.lists(st.sampled_from([*"aabbcox12-@ \n", "foo", "123-4567"]), max_size=16)


def streamed(redaction: Redaction, chunks: list[str]) -> str:
    redactor = redaction.stream()
    return "".join([*map(redactor.feed, chunks), redactor.end()])


@given(pattern=st.sampled_from(PATTERNS), chunks=TEXTS, data=st.data())
@settings(max_examples=400, deadline=None)
def test_a_text_in_parts_is_redacted_as_the_whole_is(
    pattern: str, chunks: list[str], data: st.DataObject
) -> None:
    text = "".join(chunks)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    whole = re.sub(
        pattern, lambda match: "[redacted]" if match[0] else "", text, flags=re.MULTILINE
    )
    redaction = Redaction([pattern])
    assert redaction.text(text) == whole
    assert streamed(redaction, parts) == whole


@given(chunks=TEXTS)
@settings(deadline=None)
def test_patterns_work_one_after_the_other(chunks: list[str]) -> None:
    redaction = Redaction(["a+b", r"\bfoo\b"])
    once = re.sub("a+b", "[redacted]", "".join(chunks))
    twice = re.sub(r"\bfoo\b", "[redacted]", once)
    assert streamed(redaction, chunks) == redaction.text("".join(chunks)) == twice


def test_only_what_may_still_become_a_match_is_held_back() -> None:
    redactor = Redaction([r"key-\d+"]).stream()
    assert [redactor.feed(part) for part in ("my ke", "ys: ", "key", "-12", "34", ".")] == [
        *("my ", "keys: ", "", "", "", "[redacted].")
    ]
    assert redactor.end() == ""


def test_after_its_end_another_text_may_begin() -> None:
    redactor = Redaction(["^ab"]).stream()
    assert redactor.feed("xa") + redactor.end() == "xa"
    assert redactor.feed("ab") + redactor.end() == "[redacted]"


def test_a_match_may_have_so_many_characters_and_no_more() -> None:
    redaction = Redaction(["a[^z]*z"])
    longest = f"a{'b' * (LONGEST - 2)}z"
    assert streamed(redaction, list(f"b{longest}b")) == "b[redacted]b"
    assert streamed(redaction, list(longest.replace("z", "bz"))) == longest.replace("z", "bz")


def test_without_patterns_everything_passes_at_once() -> None:
    redactor = Redaction().stream()
    assert redactor.feed("a") == "a"
    assert redactor.end() == ""


def test_texts_in_json_are_found_and_the_names_of_fields_are_not() -> None:
    value = {"key": ["key 1", {"n": 3, "key": ("a key", None)}], "on": True}
    assert Redaction(["key"]).value(value) == {
        "key": ["[redacted] 1", {"n": 3, "key": ["a [redacted]", None]}],
        "on": True,
    }


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(ab", "missing ) at position 3"),
        ("[a", "unterminated character set at position 2"),
        ("a{2,1}", "min repeat greater than max repeat at position"),
        ("", "matches the empty text"),
        ("a*", "matches the empty text"),
        ("$", "matches the empty text"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, why: str) -> None:
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        Redaction([pattern])
    assert caught.value.message.startswith(repr(pattern))


def test_a_pattern_without_end_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redact, "PATIENCE", 0.01)
    redaction = Redaction(["(a|aa)+$"])
    text = f"{'a' * 60}b"
    with pytest.raises(UsageError, match="takes too long on this text"):
        redaction.text(text)
    redactor = redaction.stream()
    shown: list[str] = []
    with pytest.raises(UsageError, match="takes too long on this text"):
        shown += map(redactor.feed, text)
    assert "".join(shown) == ""


@pytest.mark.parametrize("pattern", ["a{4294967294}", "a{,100000}", "a{1,100000}b", r"\\{100000}"])
def test_a_part_that_repeats_too_often_is_refused(pattern: str) -> None:
    with pytest.raises(UsageError, match="it repeats a part too often") as caught:
        Redaction([pattern])
    assert caught.value.hint == "Let it repeat less than 100,000 times."


def test_a_bracket_that_is_text_repeats_nothing() -> None:
    assert Redaction([r"\{123456"]).text("a{123456}") == "a[redacted]}"
    assert Redaction([r"\\\{123456"]).text(r"a\{123456}") == "a[redacted]}"
