"""Files of one JSON object a line, by strangers: each line, or what is wrong with it.

Knows bytes, UTF-8 and JSON. Does not know what the objects are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import BinaryIO, TypeAlias

from qwen3_mlx.errors import UsageError, read_error
from qwen3_mlx.strict_json import holds_too_much

MAX_LINE_BYTES = 16 * 2**20
"""Several times what fits into the longest context."""

UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Fields: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that cannot be used, and why."""

    number: int
    why: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.why}"


class LineError(ValueError):
    """A line cannot be used; the message says why."""


def read_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of a file that are not empty, with their numbers from 1.

    Raises:
        UsageError: the file cannot be read, is in UTF-16, or has a line that is far too long.
    """
    with _opened(path) as file:
        for number in count(1):
            line = file.readline(MAX_LINE_BYTES + 1)
            if not line:
                return
            _check(path, number, line)
            if line.strip():
                yield number, line.strip()


def parse_line(line: bytes) -> Fields:
    """The object in a line.

    Raises:
        LineError: it is not UTF-8, not JSON, or another kind of value.
    """
    if holds_too_much(line):
        raise LineError("it has more parts than any task")
    try:
        value = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise LineError(f"it is not UTF-8: byte 0x{error.object[error.start]:02x}") from error
    except json.JSONDecodeError as error:
        raise LineError(f"it is not JSON: {error.msg} at column {error.colno}") from error
    except (ValueError, RecursionError) as error:
        raise LineError(f"it is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise LineError("it is no JSON object")
    return value


def _opened(path: Path) -> BinaryIO:
    try:
        return path.expanduser().open("rb")
    except (OSError, RuntimeError, ValueError) as error:
        raise read_error(path, error) from error


def _check(path: Path, number: int, line: bytes) -> None:
    if len(line) > MAX_LINE_BYTES:
        raise UsageError(f"{path}: line {number} is longer than {MAX_LINE_BYTES >> 20} MiB")
    if number == 1 and line.startswith(UTF16_MARKS):
        raise UsageError(
            f"{path} is UTF-16, not UTF-8",
            hint="Convert it first, for example with iconv -f UTF-16 -t UTF-8.",
        )
