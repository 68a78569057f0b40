"""Strict JSON from strangers: UTF-8, bounded, every key once, nothing that is no value.

Knows JSON. Does not know files, nor what a value means.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import NoReturn

from qwen3_mlx.errors import ModelFileError

# Commas, colons and brackets: nearly every value has one or two. Qwen3's tokenizer.json, the file
# with the most, has 762,000; twice as many would take more than a second and 200 MB before
# a file can be refused.
MARKS = (b",", b":", b"[", b"{")
MAX_MARKS = 2**20

STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+', re.DOTALL)
"""Up to its end, or that of the data, so that no byte is looked at twice."""

PIECE = re.compile(rb'(?>[^"]*+"[^"\\]*+(?:\\.[^"\\]*+)*+"?+){1,9999}+', re.DOTALL)
"""Some thousand strings and what is between them, so that not all of them are held at once."""

HALF_A_PAIR = re.compile(rb"\\u[dD][89a-fA-F]")
"""The escape of a surrogate: half of a character outside the first 65536."""

HINT = "The file is damaged or incomplete: fetch the model again."


def parse_json(data: bytes, where: str) -> dict[str, object]:
    """Parse strict JSON: UTF-8, no NaN, an object at the top, no key twice in any object.

    Args:
        data: The bytes.
        where: What they are called in an error message.

    Raises:
        ModelFileError: They are something else, or too many values.
    """
    if _marks(data) > MAX_MARKS:
        raise ModelFileError(f"{where} holds more than {MAX_MARKS} commas, colons and brackets")
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
        if HALF_A_PAIR.search(data):
            _check_characters(value)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{where} is not valid JSON: {error}", hint=HINT) from error
    if not isinstance(value, dict):
        raise ModelFileError(f"{where} holds no JSON object", hint=HINT)
    return value


def finite_json(text: str | bytes) -> object:
    """Parse JSON without NaN and infinity, which it does not have, however they are spelled.

    Raises:
        ValueError: It is none, or a number in it is too large for a float, as `1e999` is.
        RecursionError: It is nested too deeply.
    """
    return json.loads(text, parse_constant=_no_constant, parse_float=_finite)


def holds_too_much(data: bytes, most: int = MAX_MARKS) -> bool:
    """Whether a text of JSON has more commas, colons and brackets than `most` outside its strings.

    A million of them take half a second to a second to parse.
    """
    if _marks(data) <= most:
        return False
    outside = end = 0
    while piece := PIECE.match(data, end):
        outside += _marks(STRING.sub(b"", piece[0]))
        end = piece.end()
        if outside > most:
            return True
    return outside + _marks(data[end:]) > most


def _marks(data: bytes) -> int:
    return sum(map(data.count, MARKS))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        (name, _), *_ = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {name!r:.80} is there twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text:.40} is too large a number")
    return value


def _check_characters(value: object) -> None:
    """Half of a character cannot be written to any file or screen.

    Raises:
        ValueError: There is one.
    """
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        half = error.object[error.start]
        raise ValueError(f"{half!r} is half of a character") from error
