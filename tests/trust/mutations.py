"""Files gone wrong: bytes that differ, and JSON whose parts are something else.

Knows bytes and JSON, and the values at which readers break. Does not know what is read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

Change: TypeAlias = Callable[[random.Random, bytearray], object]

SIZES = (
    0,
    1,
    7,
    8,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**31 - 1,
    2**31,
    2**32,
    2**63,
    2**64 - 1,
)
DEPTHS = (10, 100, 300, 400, 480, *range(900, 1000, 7), 2000, 100_000)
"""Levels of nesting: few, about as many as Python follows, and many more."""

VALUES: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 8, 0.5, -0.5, 1e-300, 1e308, -0.0),
    *(2**31 - 1, 2**31, 2**32, 2**53, 2**63, 2**64, -(2**63), 10**20, 10**400),
    *("", " ", "a", "0", "1", "none", "auto", "../x", "/etc/passwd", "x\0y", "\n", "é", "👩"),
    *(
        "\ud800",
        "a\udfffb",
        "<|im_end|>",
        "<think>",
        "a" * 300,
        "b" * 9000,
        "(a+)+$",
        "(",
        "[",
        "\\",
        "{{",
    ),
    *([], {}, [[]], [{}], [None], [1, 2], ["a"], {"": {}}, {"a": 1}, {"\ud800": "\ud800"}),
)
RAW = (b"NaN", b"Infinity", b"-Infinity", b"1e999", b"9" * 5000, b"\xff", b'"\\ud800"', b"1 2", b"")
"""Texts in the place of a JSON value that are none, or that not every reader takes for one."""

MARK = "\ufffd:a place in the file"


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the files, changed in one way or in several."""
    data = chance.choice(seeds)
    if chance.random() < 0.6 and (changed := _as_json(chance, data)) is not None:
        return changed if chance.random() < 0.9 else _in_bytes(chance, changed, seeds)
    return _in_bytes(chance, data, seeds)


def _in_bytes(chance: random.Random, data: bytes, seeds: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(BYTES)(chance, changed)
    if chance.random() < 0.05:
        at = chance.randrange(len(changed) + 1)
        changed[at:] = chance.choice(seeds)[at:]
    return bytes(changed)


def _flip(chance: random.Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _set(chance: random.Random, data: bytearray) -> None:
    if data:
        data[chance.randrange(len(data))] = chance.randrange(256)


def _cut(chance: random.Random, data: bytearray) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _remove(chance: random.Random, data: bytearray) -> None:
    start, size = chance.randrange(len(data) + 1), chance.choice((1, 2, 4, 8, 50))
    del data[start : start + size]


def _repeat(chance: random.Random, data: bytearray) -> None:
    start, size = chance.randrange(len(data) + 1), chance.choice((1, 4, 30, 200))
    data[start:start] = data[start : start + size] * chance.choice((1, 1, 20))


def _insert(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice((*RAW, b"[", b"{", b'"', b",", b"\0", b"\xef\xbb\xbf", b"[" * 2000))


def _number(chance: random.Random, data: bytearray) -> None:
    """A size as binary formats have them; often at the beginning, where they stand."""
    width = chance.choice((4, 8))
    last = max(0, len(data) - width)
    at = chance.choice((0, 8, chance.randrange(last + 1), chance.randrange(min(last, 400) + 1)))
    data[at : at + width] = (chance.choice(SIZES) % 2 ** (8 * width)).to_bytes(width, "little")


BYTES: Sequence[Change] = (_flip, _set, _cut, _remove, _repeat, _insert, _number)


def _as_json(chance: random.Random, data: bytes) -> bytes | None:
    """The file with another value somewhere in it; None if it is no JSON.

    A file of lines is changed in one of them, a header of safetensors within its frame.
    """
    if data[:1] not in {b"{", b"["}:
        return _framed(chance, data)
    lines = data.split(b"\n")
    several = len(lines) > 1 and all(line[:1] in {b"{", b"["} for line in lines if line)
    number = chance.randrange(len(lines)) if several else 0
    try:
        changed = _changed(chance, json.loads(lines[number] if several else data))
    except (ValueError, RecursionError):
        return None
    return b"\n".join((*lines[:number], changed, *lines[number + 1 :])) if several else changed


def _framed(chance: random.Random, data: bytes) -> bytes | None:
    length = int.from_bytes(data[:8], "little")
    if length > len(data) - 8 or data[8:9] != b"{":
        return None
    header = _as_json(chance, data[8 : 8 + length])
    return header and len(header).to_bytes(8, "little") + header + data[8 + length :]


def _changed(chance: random.Random, value: object) -> bytes:
    holder = [value]
    raw = b""
    for _ in range(chance.choice((1, 1, 2))):
        parent, key = _somewhere(chance, holder)
        match chance.randrange(12):
            case 0 if parent is not holder:
                del parent[key]
            case 1 if isinstance(parent, dict):
                parent[chance.choice(("a", "", "\ud800", f"{key}x"))] = parent[key]
            case 2:
                parent[key] = [parent[key], parent[key]]
            case 3 if isinstance(parent[key], str):
                parent[key] = parent[key][: chance.randrange(len(parent[key]) + 1)]
            case 4 | 5:
                raw = raw or _raw(chance)
                parent[key] = MARK
            case _:
                parent[key] = chance.choice(VALUES)
    written = json.dumps(holder[0], ensure_ascii=chance.random() < 0.5)
    text = written.encode("utf-8", chance.choice(("surrogatepass", "replace")))
    mark = json.dumps(MARK).encode(), MARK.encode()
    return text.replace(mark[0], raw).replace(b'"' + mark[1] + b'"', raw)


def _raw(chance: random.Random) -> bytes:
    if chance.random() < 0.5:
        return chance.choice(RAW)
    depth: int = chance.choice(DEPTHS)
    opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opened * depth + b"1" + closed * depth


def _somewhere(chance: random.Random, holder: list[Any]) -> tuple[Any, Any]:
    """A place in a value, as what holds it and the key there; deep ones as likely as others."""
    parent: Any = holder
    key: Any = 0
    while (inner := parent[key]) and isinstance(inner, dict | list) and chance.random() < 0.75:
        parent = inner
        key = chance.choice([*parent] if isinstance(parent, dict) else range(len(parent)))
    return parent, key
