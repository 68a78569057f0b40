"""Files gone wrong: other bytes, other sizes, and what is in them changed within its frame.

Knows bytes, lengths that stand before what they count, lines of JSON and of assignments. Does not
know what is read.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TypeAlias

from tests.trust.json_mutations import RAW, VALUES, changed_json

Change: TypeAlias = Callable[[random.Random, bytearray], object]

SIZES = (
    *(0, 1, 7, 8, 127, 128, 255, 256, 2**15, 2**16 - 1),
    *(2**31 - 1, 2**31, 2**32, 2**63, 2**64 - 1),
)
LINES = (b"[", b"{", b'"', b",", b"\0", b"\r\n", b"\xef\xbb\xbf", b"[" * 2000, b"\\", b"</", b"(")
TEXTS = tuple(value for value in VALUES if isinstance(value, str))
LONGEST_COUNTED = 64
MOST_REPEATED = 2**16
"""Bytes that one change repeats: enough for what takes the square of their number to be slow."""


def mutated(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One of the files, changed in one way or in several."""
    data, other = chance.choice(seeds), chance.choice(seeds)
    if chance.random() < 0.6 and (changed := _within(chance, data, other)) is not None:
        return changed if chance.random() < 0.9 else _in_bytes(chance, changed, other)
    return _in_bytes(chance, data, other)


def _in_bytes(chance: random.Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        chance.choice(BYTES)(chance, changed)
    if chance.random() < 0.1:
        at, start = chance.randrange(len(changed) + 1), chance.randrange(len(other) + 1)
        same_place = chance.random() < 0.5
        changed[at:] = other[at if same_place else start :]
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
    times = chance.choice((1, 1, 20)) if chance.random() < 0.98 else MOST_REPEATED // size
    data[start:start] = data[start : start + size] * times


def _move(chance: random.Random, data: bytearray) -> None:
    """A part of the file once more in another place."""
    start, size = chance.randrange(len(data) + 1), chance.choice((1, 4, 16, 64))
    at = chance.randrange(len(data) + 1)
    data[at:at] = data[start : start + size]


def _insert(chance: random.Random, data: bytearray) -> None:
    at = chance.randrange(len(data) + 1)
    data[at:at] = chance.choice((*RAW, *LINES))


def _number(chance: random.Random, data: bytearray) -> None:
    """A size as binary formats have them; often at the beginning, where they stand."""
    width = chance.choice((4, 8))
    last = max(0, len(data) - width)
    at = chance.choice((0, 8, chance.randrange(last + 1), chance.randrange(min(last, 400) + 1)))
    data[at : at + width] = (chance.choice(SIZES) % 2 ** (8 * width)).to_bytes(width, "little")


def _counted(chance: random.Random, data: bytearray) -> None:
    """Another text behind its own length, as GGUF and protobuf have texts, where one is found."""
    first, width = chance.randrange(len(data) + 1), chance.choice((8, 1))
    for at in range(first, min(first + 2000, len(data) - width)):
        length = int.from_bytes(data[at : at + width], "little")
        stop = at + width + length
        if 0 < length <= LONGEST_COUNTED and stop <= len(data):
            text = data[at + width : stop]
            if text.isascii() and text.decode("ascii").isprintable():
                other = _other_text(chance, bytes(text))
                data[at:stop] = len(other).to_bytes(width, "little") + other
                return


def _other_text(chance: random.Random, text: bytes) -> bytes:
    """As long as before, so that lengths around it stay right; now and then not."""
    if chance.random() < 0.6:
        changed = bytearray(text)
        chance.choice((_flip, _set))(chance, changed)
        return bytes(changed)
    return chance.choice(TEXTS).encode("utf-8", "surrogatepass")[:255]


BYTES: Sequence[Change] = (
    *(_flip, _set, _cut, _remove, _repeat, _move, _insert, _number, _counted),
)


def _within(chance: random.Random, data: bytes, other: bytes) -> bytes | None:
    """The file with another value somewhere in it; None if it has none.

    A file of lines is changed in one of them, a header of safetensors within its frame, an
    assignment behind its equals sign.
    """
    if data[8:9] == b"{" and int.from_bytes(data[:8], "little") <= len(data) - 8:
        return _framed(chance, data, other)
    lines = data.split(b"\n")
    several = len(lines) > 1 and all(line[:1] in b'{["' for line in lines if line)
    number = chance.randrange(len(lines)) if several else 0
    try:
        changed = changed_json(chance, lines[number] if several else data, _first_value(other))
    except (ValueError, RecursionError):
        return _assigned(chance, lines)
    return b"\n".join((*lines[:number], changed, *lines[number + 1 :])) if several else changed


def _first_value(other: bytes) -> bytes:
    """What another file is to be mixed from: its first line where it is one of lines."""
    first, _, rest = other.partition(b"\n")
    return first if rest[:1] in b'{["' and first[-1:] in b'}]"' and first else other


def _framed(chance: random.Random, data: bytes, other: bytes) -> bytes | None:
    stop = 8 + int.from_bytes(data[:8], "little")
    mixed = other[8 : 8 + int.from_bytes(other[:8], "little")]
    try:
        header = changed_json(chance, data[8:stop], mixed)
    except (ValueError, RecursionError):
        return None
    return len(header).to_bytes(8, "little") + header + data[stop:]


def _assigned(chance: random.Random, lines: list[bytes]) -> bytes | None:
    """Another value in one of the lines `NAME = VALUE`, as TOML has them."""
    places = [number for number, line in enumerate(lines) if b" = " in line]
    if not places:
        return None
    number = chance.choice(places)
    name, _, value = lines[number].partition(b" = ")
    try:
        changed = changed_json(chance, value, value)
    except (ValueError, RecursionError):
        changed = changed_json(chance, b'{"bits": 8}', b"[true]")
    return b"\n".join((*lines[:number], name + b" = " + changed, *lines[number + 1 :]))
