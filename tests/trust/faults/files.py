"""Faults of a folder: its index, links, and what is no regular file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.damage import CONFIG, INDEX, NORM, WEIGHTS, Fault
from tests.trust.faults.edits import (
    GENERATION,
    MANIFEST,
    TEMPLATE,
    TOKENIZER,
    TOKENIZER_CONFIG,
    Damage,
    bytes_of,
    content,
    edited,
    fields,
    folder_instead,
    link_instead,
    longer,
    moved,
    pipe_instead,
    removed,
    text,
)

FILE, LIST = r"model\.safetensors", r"model\.safetensors\.index\.json"
OUTSIDE = "../elsewhere"


def placed(shard: object) -> Damage:
    """The index puts the norm into this file."""
    return edited(INDEX, lambda index: index["weight_map"].update({NORM: shard}))


def mapped(change: Any) -> Damage:
    return edited(INDEX, lambda index: change(index["weight_map"]))


def same_shard_twice(folder: Path) -> None:
    (folder / "again.safetensors").symlink_to(WEIGHTS)
    placed("again.safetensors")(folder)


def only_a_pickle(folder: Path) -> None:
    (folder / INDEX).unlink()
    (folder / WEIGHTS).rename(folder / "pytorch_model.bin")


def many_shards(folder: Path) -> None:
    names = {f"x{i}": f"{i}.safetensors" for i in range(100_000)}
    (folder / INDEX).write_text(json.dumps({"weight_map": names}))


INDEXES: dict[str, Fault] = {
    "an index that is no JSON": (text(INDEX, "{"), f"{LIST} is not valid JSON"),
    "an index that is a list": (text(INDEX, "[]"), f"{LIST} holds no JSON object"),
    "an index without a map": (text(INDEX, "{}"), f"{LIST}: weight_map is missing or empty"),
    "an index with an empty map": (fields(INDEX, weight_map={}), f"{LIST}: weight_map"),
    "an index with a list for a map": (fields(INDEX, weight_map=[NORM]), f"{LIST}: weight_map"),
    "an index with a key twice": (
        content(INDEX, lambda data: b'{"weight_map":{},' + data.lstrip()[1:]),
        f"{LIST} is not valid JSON: .* is there twice",
    ),
    "an index of more than 8 MiB": (longer(INDEX, 9 * 2**20), f"{LIST} is larger than"),
    "an index of 100,000 files": (many_shards, r"\d+\.safetensors is missing"),
    "an index without a tensor": (
        mapped(lambda places: places.pop(NORM)),
        f"{FILE} holds the tensor '{NORM}', which .*{LIST} does not place there",
    ),
    "an index with a tensor more": (
        mapped(lambda places: places.update(x=WEIGHTS)),
        f"{LIST} places the tensor 'x' in '{FILE}', which does not hold it",
    ),
    "an index that names a number": (placed(7), f"{LIST} places the tensor '{NORM}' in 7"),
    "an index that names a folder above": (placed(f"../{WEIGHTS}"), "is not the plain name"),
    "an index that names a root": (placed("/etc/x.safetensors"), "is not the plain name"),
    "an index that names a folder below": (placed(f"x/{WEIGHTS}"), "is not the plain name"),
    "an index that names itself": (placed(INDEX), f"{LIST} places .* no safetensors file"),
    "an index that names a pickle": (
        placed("pytorch_model.bin"),
        f"{LIST} places .* no safetensors file",
    ),
    "an index with a zero byte": (placed("x\0.safetensors"), "is not the plain name"),
    "an index with half a character": (placed("\ud800.safetensors"), f"{LIST} is not valid JSON"),
    "an index with an endless name": (
        placed("x" * 5000 + ".safetensors"),
        "leads to no file|cannot be read|is missing",
    ),
    "an index with a file twice": (same_shard_twice, "holds the tensor|is in two files"),
}

SMALL = (CONFIG, INDEX, WEIGHTS, TOKENIZER, TOKENIZER_CONFIG, TEMPLATE, GENERATION)


def each(what: str, make: Callable[[str], Damage], said: str) -> dict[str, Fault]:
    """The same fault for every file that a load reads."""
    return {f"{name} {what}": (make(name), f"{re.escape(name)}'? {said}") for name in SMALL}


NOT_REGULAR: dict[str, Fault] = (
    each("that is a folder", folder_instead, "is not a regular file")
    | each("that is a pipe", pipe_instead, "is not a regular file")
    | each("that is a device", lambda name: link_instead(name, "/dev/zero"), "is a link to /dev")
)

LINKS: dict[str, Fault] = (
    each("that is a link outside", lambda name: moved(name, f"{OUTSIDE}-{name}"), "is a link to")
    | each("that is a link to nothing", lambda name: link_instead(name, "nothing"), "is missing")
    | each("that is a link to itself", lambda name: link_instead(name, name), "leads to no file")
    | each("that is a link within", lambda name: moved(name, f"other-{name}"), "may be one")
)

RECORD = r"conversion\.json"

RECORDS: dict[str, Fault] = {
    "a record that is no JSON": (text(MANIFEST, "{"), f"{RECORD} is not valid JSON"),
    "a record of numbers": (fields(MANIFEST, sha256={CONFIG: 1}), f"{RECORD}: sha256 is no"),
    "a record that is a list": (fields(MANIFEST, sha256=[CONFIG]), f"{RECORD}: sha256 is no"),
    "a record of headers that is text": (
        fields(MANIFEST, sha256={}, headers="x"),
        f"{RECORD}: headers is no",
    ),
    "a record of a file outside": (
        fields(MANIFEST, sha256={"../../x": "0"}),
        "is not the plain name",
    ),
    "a record of a device": (fields(MANIFEST, sha256={"/dev/zero": "0"}), "is not the plain name"),
    "a record of what is not there": (fields(MANIFEST, sha256={"x": "0"}), "x is missing"),
    "a record of another folder": (
        fields(MANIFEST, sha256={CONFIG: "0" * 64}),
        rf"config\.json is not the file that {RECORD} records",
    ),
    "a record that is a pipe": (pipe_instead(MANIFEST), f"{RECORD} is not a regular file"),
    "a record that is a link to nothing": (link_instead(MANIFEST, "x"), f"{RECORD} is missing"),
    "a record that records nothing": (text(MANIFEST, "{}"), "nothing is compared"),
}

OTHERS: dict[str, Fault] = {
    "no weights but a pickle": (only_a_pickle, "only a pickle, which can run code"),
    "a forgotten shard": (
        bytes_of("model-00001-of-00002.safetensors", b"x" * 100),
        "never read",
    ),
    "a forgotten index": (removed(INDEX), "the headers say the same"),
}
