"""JSON gone wrong: values of another type, size, number or depth, keys twice, and no JSON at all.

Knows values, and the texts at which readers of them break. Does not know files.
"""

from __future__ import annotations

import copy
import json
import random
from typing import Any

DEPTHS = (10, 100, 300, 480, 2000, 100_000)
LIMIT = range(850, 1000)
"""Levels of nesting: few, about as many as Python follows, and many more."""

MANY = (30, 300, 3000, 20_000)
"""Entries of a list or object, or letters of a text, where there was one."""

LARGEST = 2**20
"""Bytes that a part of a file may grow to."""

LARGE = 2**1000
"""Less than the largest number with a fraction."""

LITTLE_BY_LITTLE = 0.97
"""How often a value is changed without making a great deal of it."""

VALUES: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 8, 0.5, -0.5, 1e-300, 1e308, -0.0),
    *(2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, -(2**63), 10**20, 10**400),
    *("", " ", "a", "0", "1", "none", "auto", "../x", "/etc/passwd", "x\0y", "\n", "é", "👩"),
    *("\ud800", "a\udfffb", "<|im_end|>", "<think>", "a" * 300, "b" * 9000),
    *("(a+)+$", "(", "[", "\\", "{{", "\x1b[2J", "\u202e", "1e400", "٣", "<0xZZ>"),
    *([], {}, [[]], [{}], [None], [1, 2], ["a"], {"": {}}, {"a": 1}, {"\ud800": "\ud800"}),
)
RAW = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5000, b"\xff", b'"\\ud800"', b"1 2", b"")
"""Texts in the place of a JSON value that are none, or that not every reader takes for one."""

MARK = "\ufffd:a place in the file"
AGAIN = "\ufffd:again:"
"""Before a key that the text has twice, which no value can say."""


def changed_json(chance: random.Random, text: bytes, other: bytes) -> bytes:
    """A JSON text with something else in some places.

    Args:
        chance: Decides where and what.
        text: What is changed.
        other: A text that values may be taken from.

    Raises:
        ValueError: It is no JSON.
        RecursionError: It is too deep for Python's reader.
    """
    holder, raw = [json.loads(text)], b""
    for _ in range(chance.choice((1, 1, 2, 3))):
        parent, key = _somewhere(chance, holder)
        if chance.random() < 0.15:
            raw = raw or _raw(chance)
            parent[key] = MARK
        else:
            _change(chance, parent, key, holder, other)
    return _written(chance, holder[0], raw)


def _written(chance: random.Random, value: object, raw: bytes) -> bytes:
    written = json.dumps(value, ensure_ascii=chance.random() < 0.5)
    text = written.encode("utf-8", chance.choice(("surrogatepass", "replace")))
    for again in (AGAIN.encode(), json.dumps(AGAIN)[1:-1].encode()):
        text = text.replace(again, b"")
    for mark in (json.dumps(MARK).encode(), b'"' + MARK.encode() + b'"'):
        text = text.replace(mark, raw)
    return text


def _raw(chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return chance.choice(RAW)
    depth = chance.choice((*DEPTHS, *[chance.choice(LIMIT)] * len(DEPTHS)))
    opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opened * depth + b"1" + closed * depth


def _change(chance: random.Random, parent: Any, key: Any, holder: list[Any], other: bytes) -> None:
    """Something else at one place, or in the object or list around it."""
    match chance.randrange(12):
        case 0 if parent is not holder:
            del parent[key]
        case 1 if isinstance(parent, dict):
            name = chance.choice(("a", "", "\ud800", f"{key}x", f"{AGAIN}{key}"))
            parent[name] = chance.choice((parent[key], _value(chance)))
        case 2 if isinstance(parent, dict):
            parent[_text(chance, key)] = parent.pop(key)
        case 3:
            taken, place = _somewhere(chance, [json.loads(other)])
            parent[key] = copy.deepcopy(taken[place])
        case 4 | 5 | 6 | 7 if chance.random() < LITTLE_BY_LITTLE:
            parent[key] = _like(chance, parent[key])
        case 4 | 5 | 6 | 7:
            parent[key] = _much(chance, parent[key])
        case _:
            parent[key] = _value(chance)


def _value(chance: random.Random) -> object:
    """One of the values; a copy, which may be changed further."""
    return copy.deepcopy(chance.choice(VALUES))


def _like(chance: random.Random, value: object) -> object:
    """What is nearly the value: another number, other letters, one more or less, another type."""
    if isinstance(value, bool) or value is None or chance.random() < 0.2:
        return chance.choice(([value], {"a": value}, str(value), [value, value], not value))
    if isinstance(value, int | float):
        near = (value + 1, value - 1, -value, value * 2, value // 3, value * 2**32)
        return chance.choice((*near, 2 ** chance.randrange(65), min(max(value, -LARGE), LARGE) / 3))
    if isinstance(value, str):
        return _text(chance, value)
    if isinstance(value, list):
        return chance.choice((value[1:], value + value[:1], value[::-1], [*value, None]))
    assert isinstance(value, dict)
    kept = [*value.items()]
    return chance.choice(([*value], [*value.values()], dict(kept[1:]), dict(kept[::-1])))


def _text(chance: random.Random, text: str) -> str:
    at = chance.randrange(len(text) + 1)
    char = chance.choice(("", "\0", "\n", "é", "/", ".", "-", "9", '"', "\udc80", chr(0x10FFFF)))
    return chance.choice(
        (text[:at], text[at:], text[:at] + char + text[at:], text.upper(), text * 2)
    )


def _much(chance: random.Random, value: object) -> object:
    """A great deal of the value."""
    many = min(chance.choice(MANY), LARGEST // len(json.dumps(value)))
    if isinstance(value, str):
        return (value or " ") * many
    return chance.choice(([value] * many, {str(number): value for number in range(many)}))


def _somewhere(chance: random.Random, holder: list[Any]) -> tuple[Any, Any]:
    """A place in a value, as what holds it and the key there; deep ones as likely as others."""
    parent: Any = holder
    key: Any = 0
    while (inner := parent[key]) and isinstance(inner, dict | list) and chance.random() < 0.75:
        parent = inner
        key = chance.choice([*parent] if isinstance(parent, dict) else range(len(parent)))
    return parent, key
