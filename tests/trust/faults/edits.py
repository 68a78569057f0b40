"""Small ways to change one file of a model folder, out of which faults are put together.

Knows files, JSON and safetensors. Does not know what a model makes of them.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from tests.damage import WEIGHTS, edit_header

Damage: TypeAlias = Callable[[Path], object]

GENERATION, TOKENIZER = "generation_config.json", "tokenizer.json"
TOKENIZER_CONFIG, TEMPLATE = "tokenizer_config.json", "chat_template.jinja"
MANIFEST = "conversion.json"


def content(name: str, make: Callable[[bytes], bytes]) -> Damage:
    """A file's bytes replaced; one that is not there has none."""

    def damage(folder: Path) -> None:
        path = folder / name
        path.write_bytes(make(path.read_bytes() if path.exists() else b""))

    return damage


def bytes_of(name: str, data: bytes) -> Damage:
    return content(name, lambda _: data)


def text(name: str, written: str) -> Damage:
    return bytes_of(name, written.encode())


def edited(name: str, change: Callable[[Any], object]) -> Damage:
    """The JSON in a file changed in place."""

    def apply(data: bytes) -> bytes:
        value = json.loads(data or b"{}")
        change(value)
        return json.dumps(value).encode()

    return content(name, apply)


def fields(name: str, **values: object) -> Damage:
    return edited(name, lambda data: data.update(values))


def without(name: str, field: str) -> Damage:
    return edited(name, lambda data: data.pop(field))


def header(change: Callable[[bytes], bytes]) -> Damage:
    """The text of the weights' header replaced, its length with it."""

    def apply(data: bytes) -> bytes:
        end = 8 + int.from_bytes(data[:8], "little")
        new = change(data[8:end])
        return len(new).to_bytes(8, "little") + new + data[end:]

    return content(WEIGHTS, apply)


def entries(change: Callable[[Any], object]) -> Damage:
    """The entries of the weights' header changed in place."""
    return lambda folder: edit_header(folder, change)


def entry(name: str, **values: object) -> Damage:
    return entries(lambda found: found[name].update(values))


def exchanged(one: str, other: str) -> Damage:
    """Two tensors of one shape, each where the other's bytes are."""

    def swap(found: Any) -> None:
        first, second = found[one], found[other]
        first["data_offsets"], second["data_offsets"] = (
            second["data_offsets"],
            first["data_offsets"],
        )

    return entries(swap)


def longer(name: str, size: int) -> Damage:
    """A file made longer without taking room on the disk."""
    return lambda folder: os.truncate(folder / name, size)


def removed(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def folder_instead(name: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return damage


def pipe_instead(name: str) -> Damage:
    """A pipe that nobody writes to: reading it would wait for ever."""

    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


def link_instead(name: str, target: str) -> Damage:
    def damage(folder: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(target)

    return damage


def moved(name: str, place: str) -> Damage:
    """A file moved to another place, seen from the folder, and a link to it left behind."""

    def damage(folder: Path) -> None:
        (folder / name).rename(folder / place)
        (folder / name).symlink_to(place)

    return damage


def both(*damages: Damage) -> Damage:
    def damage(folder: Path) -> None:
        for one in damages:
            one(folder)

    return damage
