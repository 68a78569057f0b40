"""Typed, bounded reading of one configuration object.

Knows how to say which field is wrong. Does not know what the fields mean.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from qwen3_mlx.errors import ModelFileError, shown

DAMAGED = "The model's config.json is damaged or was edited by hand: fetch the file again."


class Fields:
    """A mapping from a file, read field by field with its type and range checked.

    A null counts as absent, as it does for Hugging Face.

    Args:
        data: The parsed JSON object.
        where: What the mapping is called in error messages, such as ``config.json``.
    """

    def __init__(self, data: Mapping[str, object], where: str) -> None:
        self._data = {name: value for name, value in data.items() if value is not None}
        self._where = where

    def __contains__(self, name: str) -> bool:
        return name in self._data

    def names(self) -> set[str]:
        """The names of all fields that are present."""
        return set(self._data)

    def integer(self, name: str, low: int, high: int, default: int | None = None) -> int:
        """A whole number from ``low`` to ``high``; a boolean is none.

        Raises:
            ModelFileError: Missing without a default, another type, or out of range.
        """
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.wrong(name, "must be a whole number")
        if not low <= value <= high:
            raise self.wrong(name, f"must be from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A finite number from ``low`` to ``high``.

        Raises:
            ModelFileError: Missing without a default, another type, or out of range.
        """
        value = self._value(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(name, "must be a number")
        if not (low <= value <= high and math.isfinite(value)):
            raise self.wrong(name, f"must be from {low:g} to {high:g}")
        return float(value)

    def boolean(self, name: str, default: bool) -> bool:
        """True or false.

        Raises:
            ModelFileError: Another type.
        """
        value = self._value(name, default)
        if not isinstance(value, bool):
            raise self.wrong(name, "must be true or false")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """A string.

        Raises:
            ModelFileError: Missing without a default, or another type.
        """
        value = self._value(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, "must be a string")
        return value

    def sequence(self, name: str) -> list[object]:
        """A list, empty when absent.

        Raises:
            ModelFileError: Another type.
        """
        value = self._data.get(name, [])
        if not isinstance(value, list | tuple):
            raise self.wrong(name, "must be a list")
        return list(value)

    def mapping(self, name: str) -> Fields:
        """An object nested in this one, empty when absent.

        Raises:
            ModelFileError: Another type.
        """
        value = self._data.get(name, {})
        if not isinstance(value, Mapping):
            raise self.wrong(name, "must be an object")
        return Fields(value, f"{self._where}: {name}")

    def wrong(self, name: str, rule: str) -> ModelFileError:
        """The error for a field that breaks ``rule``, naming the field and its value."""
        return ModelFileError(f"{self.describe(name)} {rule}", hint=DAMAGED)

    def describe(self, name: str) -> str:
        """Where a field is and what it holds, cut short: a file may hold anything."""
        return f"{self._where}: {name} = {shown(self._data[name], 60)}"

    def _value(self, name: str, default: object) -> object:
        value = self._data.get(name, default)
        if value is None:
            raise ModelFileError(f"{self._where}: {name} is missing", hint=DAMAGED)
        return value
