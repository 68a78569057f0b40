"""A curve as JSON, and back.

Knows the fields of the file and what may stand in them. Does not write files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from qwen3_mlx.errors import UsageError
from qwen3_mlx.evaluation.curve import Record
from qwen3_mlx.evaluation.figures import Figures, by_category, figures
from qwen3_mlx.evaluation.setup import Setup
from qwen3_mlx.places import read_named
from qwen3_mlx.strict_json import holds_too_much

FORMAT = "qwen3-mlx curve 1"
MAX_BYTES = 64 * 2**20
MAX_MARKS = 2**22
"""For some 170,000 answers, of which each takes some 24."""

Made = TypeVar("Made", Setup, Record)


@dataclass(frozen=True, slots=True)
class Curve:
    """What was measured, and with what.

    Attributes:
        setup: With what.
        records: Of all tasks and budgets that are done.
    """

    setup: Setup
    records: tuple[Record, ...]

    @property
    def figures(self) -> list[Figures]:
        """Of each budget."""
        return figures(self.records, self.setup.budgets)

    @property
    def by_category(self) -> dict[str, list[Figures]]:
        """Of each category and budget."""
        return by_category(self.records, self.setup.budgets)

    @property
    def complete(self) -> bool:
        """Whether every task is there within every budget."""
        return len(self.records) == self.setup.count * len(self.setup.budgets)


def as_data(curve: Curve) -> dict[str, Any]:
    """Setup and figures, for scripts; without the records."""
    return {
        "format": FORMAT,
        "setup": asdict(curve.setup),
        "complete": curve.complete,
        "figures": [_figures_data(each) for each in curve.figures],
        "categories": {
            name: [_figures_data(each) for each in group]
            for name, group in curve.by_category.items()
        },
    }


def to_json(curve: Curve) -> str:
    """The text of a curve's file."""
    records = [asdict(record) for record in curve.records]
    return json.dumps(as_data(curve) | {"records": records}, indent=1) + "\n"


def read_curve(path: Path) -> Curve:
    """The curve in a file that `to_json` wrote.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    text = read_named(path, MAX_BYTES)
    try:
        if holds_too_much(text, MAX_MARKS):
            raise ValueError("records")
        return _curve(json.loads(text))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UsageError(
            f"{path} is no curve that this version can read",
            hint="Curves are written by: qwen3-mlx curve TASKS",
        ) from error


def setup_of(value: object) -> Setup:
    """From parsed JSON to a setup.

    Raises:
        ValueError: it is something else.
    """
    setup = _made(Setup, value, _SETUP)
    budgets = tuple(setup.budgets)
    if not budgets or not all(map(_is_count, budgets)) or len({*budgets}) < len(budgets):
        raise ValueError("budgets")
    return Setup(**{**asdict(setup), "budgets": budgets})


def record_of(value: object) -> Record:
    """From parsed JSON to a record.

    Raises:
        ValueError: it is something else.
    """
    record = _made(Record, value, _RECORD)
    counts = (record.budget, record.thinking_tokens, record.answer_tokens)
    if not (all(map(_is_count, counts)) and abs(record.seconds) <= sys.float_info.max):
        raise ValueError("record")
    return record


def _curve(value: Any) -> Curve:
    if value["format"] != FORMAT:
        raise ValueError("format")
    setup, records = setup_of(value["setup"]), tuple(map(record_of, value["records"]))
    if not records or not {record.budget for record in records} <= {*setup.budgets}:
        raise ValueError("records")
    return Curve(setup, records)


def _figures_data(each: Figures) -> dict[str, Any]:
    data = asdict(each)
    interval = data.pop("interval")
    return data | {"share": each.share, **interval}


_TEXT, _WHOLE, _MAYBE_WHOLE = (str,), (int,), (int, type(None))
_SETUP: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("model", "identity", "tasks", "digest"), _TEXT),
    **dict.fromkeys(("count", "context"), _WHOLE),
    **dict.fromkeys(("thinking", "answering"), (dict,)),
    "budgets": (list,),
    "system": (str, type(None)),
    "max_tokens": _MAYBE_WHOLE,
}
_RECORD: Mapping[str, tuple[type, ...]] = {
    **dict.fromkeys(("id", "category", "answer", "stop_thinking", "finish_reason"), _TEXT),
    **dict.fromkeys(("thinking_tokens", "answer_tokens"), _WHOLE),
    "budget": _MAYBE_WHOLE,
    "right": (bool,),
    "seconds": (int, float),
}


def _made(made: type[Made], value: object, kinds: Mapping[str, Sequence[type]]) -> Made:
    """An object of a class from the fields of another, each of which is of one of its kinds."""
    if not isinstance(value, dict) or value.keys() != {f.name for f in fields(made)}:
        raise ValueError(made.__name__)
    if not all(type(value[name]) in allowed for name, allowed in kinds.items()):
        raise ValueError(made.__name__)
    return made(**value)


def _is_count(value: object) -> bool:
    return value is None or (type(value) is int and 0 <= value <= sys.maxsize)
