"""JSON from strangers: what is taken, and how the rest is refused."""

from __future__ import annotations

import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.strict_json import MARKS, MAX_MARKS, holds_too_much, parse_json

WHOLE = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | WHOLE,
    lambda inner: st.lists(inner) | st.dictionaries(WHOLE, inner),
)


@given(st.dictionaries(WHOLE, VALUES), st.booleans())
def test_what_python_writes_is_read_again(value: dict[str, object], ascii_only: bool) -> None:
    finite = json.loads(json.dumps(value).replace("Infinity", "1e300"))
    assert parse_json(json.dumps(finite, ensure_ascii=ascii_only).encode(), "x") == finite


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "x is not valid JSON"),
        (b"\xff", "x is not valid JSON"),
        (b'\xef\xbb\xbf{"a": 1}', "x is not valid JSON"),
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": 1, "b": 2, "b": 3}', "the key 'b' is there twice"),
        (b'{"a": [{"b": 2, "b": 2}]}', "the key 'b' is there twice"),
        (b'{"a": "\\ud800"}', r"'\ud800' is half of a character"),
        (b'{"\\uDBFFx": 1}', r"'\udbff' is half of a character"),
        (b"[1]", "x holds no JSON object"),
        (b"[" * 100_000, "x is not valid JSON"),
        (b'{"a": %s}' % (b"1" * 5000), "x is not valid JSON"),
    ],
)
def test_everything_else_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        parse_json(data, "x")
    assert message in caught.value.message
    assert caught.value.hint == "The file is damaged or incomplete: fetch the model again."


def test_a_whole_pair_is_a_character() -> None:
    assert parse_json(b'{"a": "\\ud83d\\ude00 \\u00e9"}', "x") == {"a": "😀 é"}


@pytest.mark.parametrize("value", [b"[]", b"{}", b"1"])
def test_too_many_values_are_not_parsed(value: bytes) -> None:
    parse_json(b'{"a": [%s]}' % b",".join([value] * 100), "x")
    with pytest.raises(ModelFileError, match=f"x holds more than {MAX_MARKS}"):
        parse_json(b'{"a": [%s]}' % b",".join([value] * MAX_MARKS), "x")


@given(
    st.recursive(
        st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_marks_in_strings_do_not_count(value: object) -> None:
    """Counted in the same value whose strings are empty, keys in one object too."""
    data = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
    bare = json.dumps(emptied(value)).encode()
    marks = sum(map(bare.count, MARKS))
    assert not holds_too_much(data, marks)
    assert not marks or holds_too_much(data, marks - 1)


def emptied(value: object) -> object:
    """The value with a letter for every string; objects as what has as many marks."""
    if isinstance(value, dict):
        return {str(n): emptied(inner) for n, inner in enumerate(value.values())}
    if isinstance(value, list):
        return [emptied(inner) for inner in value]
    return "x" if isinstance(value, str) else value


def test_not_all_strings_are_held_at_once() -> None:
    """There are three million of them, and 60 bytes a piece would be 180 MB."""
    data = b'{"a":' * 3_000_000
    tracemalloc.start()
    try:
        assert holds_too_much(data)
        assert tracemalloc.get_traced_memory()[1] < 10 * 10**6
    finally:
        tracemalloc.stop()


def test_pieces_of_some_thousand_strings_are_counted_alike() -> None:
    data = b"[" + b",".join([b'"a,[{:", "\\",", [1]'] * 7_000) + b"]"
    assert not holds_too_much(data, marks := 7_000 * 4)
    assert holds_too_much(data, marks - 1)


def test_a_string_without_its_end_is_looked_through_once() -> None:
    """Its quotes are escaped: from each of them on would be hours."""
    assert holds_too_much(b'"' + b'\\",' * 1_000_000) is False
