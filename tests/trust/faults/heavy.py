"""Faults that are found late, in files as large as they may be: what refusals may cost at most."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice, product
from pathlib import Path
from typing import Any

from qwen3_mlx.strict_json import MAX_MARKS
from tests.damage import CONFIG, INDEX, NORM, Fault
from tests.trust.faults.edits import (
    TEMPLATE,
    TOKENIZER,
    Damage,
    content,
    edited,
    entries,
    text,
)

KEYS = MAX_MARKS // 2 - 10
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def words() -> Iterator[str]:
    """Four letters each, 456,976 of them."""
    return map("".join, product(LETTERS, repeat=4))


def large_vocabulary(model: Any) -> None:
    """As large as Qwen3's: 150,000 tokens, each merged of two that are there."""
    pairs = ["".join(pair) for pair in product(LETTERS, repeat=2)]
    known = [*pairs, *islice(words(), 150_000)]
    model["vocab"] = {letter: id_ for letter, id_ in model["vocab"].items() if len(letter) == 1}
    model["vocab"] |= {name: 2000 + number for number, name in enumerate(known)}
    model["merges"] = [[name[: len(name) // 2], name[len(name) // 2 :]] for name in known]


def many_objects(name: str, count: int) -> Damage:
    """A file with a list of so many small objects before all else."""
    return content(name, lambda data: b'{"x":[' + b'{"a":1},' * count + b"{}]," + data[1:])


def large_index(folder: Path) -> None:
    names = {f"{word}{NORM}": "x.safetensors" for word in islice(words(), 150_000)}
    (folder / INDEX).write_text(json.dumps({"weight_map": names}))


def many_keys(folder: Path) -> None:
    numbers = {f"{number:x}": 1.5 for number in range(KEYS)}
    (folder / TOKENIZER).write_text(json.dumps(numbers))


def many_tensors(found: Any) -> None:
    entry = {"dtype": "U8", "shape": [0], "data_offsets": [0, 0]}
    found.update(dict.fromkeys(islice(words(), 50_000), entry))


HEAVY: dict[str, Fault] = {
    "a tokenizer of as many keys as may be": (
        many_keys,
        r"tokenizer\.json has no model",
    ),
    "a tokenizer as large as may be, of the widest letters": (
        lambda f: text(TOKENIZER, '{"x":"😀%s"}' % ("x" * (2**24 - 20)))(f),
        r"tokenizer\.json has no model",
    ),
    "a tokenizer as large as Qwen3's": (
        edited(TOKENIZER, lambda data: large_vocabulary(data["model"])),
        r"tokenizer\.json has ids up to",
    ),
    "a config of as many objects as may be": (
        many_objects(CONFIG, MAX_MARKS // 3 - 200),
        r"conversion\.json records",
    ),
    "an index of 150,000 tensors": (large_index, r"x\.safetensors is missing"),
    "a header of 50,000 tensors": (entries(many_tensors), r"model\.safetensors"),
    "a template of a megabyte": (text(TEMPLATE, "{{ 1 }}" * 149_000), r"chat_template\.jinja"),
}
