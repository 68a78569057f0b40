"""Damages to files at random: what disks, cables, people and half-finished copies do.

Knows bytes. Does not know what they mean.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path


def damage_at_random(paths: Sequence[Path], chance: random.Random) -> None:
    """One to three damages to the bytes of some files, of the kinds that disks and people do."""
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(paths)
        data = bytearray(path.read_bytes())
        chance.choice(_AT_RANDOM)(data, chance)
        path.write_bytes(data)
    if chance.random() < 0.1:
        first, second = chance.sample(list(paths), 2)
        data = bytearray(first.read_bytes())
        first.write_bytes(second.read_bytes())
        second.write_bytes(data)


def _flip_one(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)


def _flip_early(data: bytearray, chance: random.Random) -> None:
    if data:
        data[chance.randrange(min(2000, len(data)))] = chance.randrange(256)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randint(0, len(data)) :]


def _blank(data: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    length = min(chance.randint(1, 4096), len(data) - start)
    data[start : start + length] = bytes(length)


def _repeat(data: bytearray, chance: random.Random) -> None:
    start = chance.randint(0, len(data))
    data[start:start] = data[start : start + chance.randint(1, 512)]


def _move(data: bytearray, chance: random.Random) -> None:
    """A piece of the numbers stands in place of another."""
    if len(data) > 200:
        length = chance.randint(1, 100)
        start, stop = (chance.randrange(len(data) - length) for _ in range(2))
        data[start : start + length] = data[stop : stop + length]


_AT_RANDOM = (_flip_one, _flip_early, _cut, _blank, _repeat, _move)
