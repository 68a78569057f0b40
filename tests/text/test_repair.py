"""JSON that models write wrongly: what is mended, and what stays in doubt."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.text.repair import MAX_VALUES, repair

MENDED: dict[str, tuple[str, object]] = {
    "a closing brace is missing": ('{"a": {"b": 1}', {"a": {"b": 1}}),
    "two closing braces are missing": ('{"a": {"b": "x"', {"a": {"b": "x"}}),
    "a bracket and a brace are missing": ('{"a": ["x", "y"', {"a": ["x", "y"]}),
    "braces are missing after a word": ('{"a": {"b": true', {"a": {"b": True}}),
    "a brace too many": ('{"a": 1}}', {"a": 1}),
    "braces too many, a line on": ('{"a": 1}\n}\n}', {"a": 1}),
    "a comma too many": ('{"a": [1, 2,], "b": 3,}', {"a": [1, 2], "b": 3}),
    "single quotes": ("{'a': 'x', 'b': ['y']}", {"a": "x", "b": ["y"]}),
    "both quotes": ('{\'a\': "it\'s", "b": \'say "hi"\'}', {"a": "it's", "b": 'say "hi"'}),
    "an escaped single quote": (r"{'a': 'it\'s \\'}", {"a": "it's \\"}),
    "an escaped backslash before one": (r"{'a': '\\\'\n'}", {"a": "\\'\n"}),
    "words of Python": ("{'a': True, 'b': False, 'c': None}", {"a": True, "b": False, "c": None}),
    "a line break in a string": ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
    "a code fence": ('```json\n{"a": 1}\n```', {"a": 1}),
    "a code fence without a name or an end": ("```\n{'a': 1}\n", {"a": 1}),
    "an escaped character": ("{'a': '\\u00e9é'}", {"a": "éé"}),
    "an empty object": ("{'a': {}, 'b': [],}", {"a": {}, "b": []}),
    "numbers": ("{'a': -1.5e3, 'b': 0}", {"a": -1500.0, "b": 0}),
}

IN_DOUBT = [
    "",
    "add(2, 3)",
    '{"a": 12',  # more digits may follow
    '{"a": 12\n',
    '{"a": 1.',
    '{"a": tru',
    '{"a": "tex',
    '{"a": "x", "b',
    '{"a": "x", "b"',
    '{"a": "x", "b":',
    '{"a": "x",',
    '{"a": {',
    '{"a": [',
    "{",
    '{"a": "say "hi" now"}',
    "{'a': 'it's'}",
    '{"a": "\\d+"}',
    '{"a" 1}',
    '{"a": 1 "b": 2}',
    '{"a": 1,, "b": 2}',
    '{,"a": 1}',
    "{a: 1}",
    '{"a": 01}',
    '{"a": +1}',
    '{"a": .5}',
    '{"a": 1_000}',
    '{"a": Truely}',
    '{"a": ["x"}',
    '{"a": 1} {"b": 2}',
    '{"a": 1} and more',
    "['a',]",
    "{" * 100_000,
    '{"a":' * 100 + "1," + "}" * 100,
    "{'a': " + "9" * 5000 + "}",
    '{"a": NaN}',
    "{'a': 1e999}",
    "{'a': [" + "1," * MAX_VALUES + "]}",
]

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | FLOATS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), values, max_size=4)


@pytest.mark.parametrize("slip", MENDED)
def test_clear_slips_are_mended(slip: str) -> None:
    text, meant = MENDED[slip]
    mended = repair(text)
    assert mended is not None
    assert json.loads(mended) == meant


@pytest.mark.parametrize("text", IN_DOUBT, ids=lambda text: text[:20])
def test_what_is_in_doubt_stays_broken(text: str) -> None:
    assert repair(text) is None


@given(value=objects, indent=st.none() | st.integers(0, 2), plain=st.booleans())
def test_valid_json_is_never_changed(value: object, indent: int | None, plain: bool) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=plain)
    assert repair(text) == text


@given(text=st.text(alphabet="{}[]\"',: \\n1atrue.N-`\n", max_size=40))
def test_what_is_mended_can_be_read(text: str) -> None:
    mended = repair("{" + text)
    assert mended is None or isinstance(json.loads(mended), dict)


@given(value=objects, cut=st.integers(0, 200))
def test_nothing_is_made_up_where_the_text_breaks_off(value: dict[str, object], cut: int) -> None:
    text = json.dumps(value)
    mended = repair(text[: min(cut, len(text))])
    if mended is not None:
        assert is_part(json.loads(mended), value)


def is_part(part: object, whole: object) -> bool:
    """Whether all that is in a value is in another, at the same place."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and is_part(part[key], whole[key]) for key in part)
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) <= len(whole) and all(map(is_part, part, whole))
    return part == whole


@given(value=objects)
def test_pythons_way_to_write_is_read_or_refused(value: dict[str, object]) -> None:
    mended = repair(repr(value))
    assert mended is None or json.loads(mended) == value
