"""The files that keep calibrations: in which folder, in which form, and whose.

Knows JSON and paths; trusts nothing in them. Does not know what the numbers do.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import TypeGuard

from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.errors import UsageError, read_error
from qwen3_mlx.generation.calibration import Calibration
from qwen3_mlx.places import own_folder

FORMAT = "qwen3-mlx calibration 1"
MAX_BYTES = 1 << 20
RECALIBRATE = "Write it again with: qwen3-mlx curve TASKS --calibrate"


def calibrations_folder() -> Path:
    """`qwen3-mlx/calibrations` in the data folder of the person.

    Raises:
        UsageError: There is no home to find it in.
    """
    return own_folder("data") / "calibrations"


def own_path(model: str) -> Path:
    """Where the calibration that a person made of a model is, by the identity of its weights."""
    return calibrations_folder() / f"{model}.json"


def shipped_path(name: str) -> Path:
    """Where the calibration of a bundled model is."""
    return bundled_path("calibrations") / f"{name}.json"


def read_of(path: Path, model: str) -> Calibration:
    """The calibration in a file, which must be of this model or of any.

    Raises:
        UsageError: it cannot be read, holds something else, or was measured with other weights.
    """
    calibration = read_calibration(path)
    if calibration.model not in {"", model}:
        raise UsageError(
            f"{path} is the calibration of another model ({calibration.name})", hint=RECALIBRATE
        )
    return calibration


def to_json(calibration: Calibration) -> str:
    """The text of a calibration's file."""
    return json.dumps({"format": FORMAT, **asdict(calibration)}, indent=2) + "\n"


def read_calibration(path: Path) -> Calibration:
    """The calibration in a file.

    Raises:
        UsageError: it cannot be read, or holds something else.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_BYTES)
    except (OSError, ValueError) as error:
        raise read_error(path, error) from error
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is no calibration: {error}", hint=RECALIBRATE) from error
    if not isinstance(value, dict) or value.pop("format", None) != FORMAT:
        raise UsageError(f"{path} is no calibration of this version", hint=RECALIBRATE)
    return _checked(path, value)


_NUMBERS = {
    "skip": (0.0, math.inf),
    "certain": (0.0, 1.0),
    "agree": (1, 1000),
    "every": (1, 1 << 20),
    "least": (0, 1 << 20),
    "cap": (1, 1 << 20),
}
_WHOLE = ("agree", "every", "least", "cap")
_TEXTS = ("name", "model", "lead")


def _checked(path: Path, value: dict[str, object]) -> Calibration:
    known = {f.name for f in fields(Calibration)}
    wrong = sorted(known ^ value.keys())
    wrong += [name for name in _TEXTS if not isinstance(value.get(name), str)]
    wrong += [name for name, range_ in _NUMBERS.items() if not _within(name, value, range_)]
    if not (value.get("brake") is None or _is_number(value["brake"])):
        wrong.append("brake")
    weights = value.get("weights")
    if not isinstance(weights, dict) or not all(map(_is_number, weights.values())):
        wrong.append("weights")
    if wrong:
        raise UsageError(f"{path}: {wrong[0]:.80} is missing or makes no sense", hint=RECALIBRATE)
    return Calibration(**value)  # type: ignore[arg-type]


def _within(name: str, value: Mapping[str, object], range_: tuple[float, float]) -> bool:
    number = value.get(name)
    if not _is_number(number) or (name in _WHOLE and not isinstance(number, int)):
        return False
    return range_[0] <= number <= range_[1]


def _is_number(value: object) -> TypeGuard[float]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= sys.float_info.max  # a whole number may be larger than any other
