"""What errors say, whatever is in the names that they repeat."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from qwen3_mlx.errors import (
    LONGEST,
    ModelFileError,
    ToolError,
    UsageError,
    check_type,
    read_error,
    shown,
)


def test_a_message_keeps_its_beginning_and_its_end() -> None:
    error = ModelFileError(f"config.json: {'x' * 10**6} is missing", hint="Fetch it again.")
    assert len(error.message) < LONGEST
    assert error.message.startswith("config.json: xxx")
    assert error.message.endswith("xxx is missing")
    assert str(error) == error.message
    assert error.hint == "Fetch it again."


@pytest.mark.parametrize(
    ("value", "kind"),
    [(3, int), (3, float), (3.5, float), ("3", str), (True, bool), (Path("x"), Path)],
)
def test_a_value_of_the_kind_passes(value: object, kind: type) -> None:
    check_type("x", value, kind)


@pytest.mark.parametrize(
    ("value", "kind", "must"),
    [
        (1.5, int, "a whole number"),
        (3.0, int, "a whole number"),
        (math.nan, int, "a whole number"),
        ("8", int, "a whole number"),
        (True, int, "a whole number"),
        (None, int, "a whole number"),
        ("hot", float, "a number"),
        (False, float, "a number"),
        (b"hi", str, "text"),
        (Path("x"), str, "text"),
        (1, bool, "True or False"),
        ("x", Path, "a pathlib.Path"),
    ],
)
def test_a_value_of_another_kind_is_named(value: object, kind: type, must: str) -> None:
    with pytest.raises(UsageError) as error:
        check_type("x", value, kind)
    assert (error.value.message, error.value.hint) == (f"x is {value!r}", f"It must be {must}.")


def test_a_message_of_a_usual_length_is_whole() -> None:
    said = "config.json: " + "x" * (LONGEST - 13)
    assert ModelFileError(said).message == said


def test_what_is_for_the_model_is_whole() -> None:
    said = "x" * 10**6
    assert ToolError(said).message == said


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    for path, said in (
        (tmp_path / "none", f"there is no file {tmp_path}/none"),
        (tmp_path, f"{tmp_path} is a folder"),
        (Path("a\0b"), "a\0b cannot be read: embedded null byte"),
    ):
        with pytest.raises((OSError, ValueError)) as raised:
            path.open()
        assert read_error(path, raised.value).message == said
    nobody = RuntimeError("Could not determine home directory.")
    assert read_error("~x/a", nobody).message == f"~x/a cannot be read: {nobody}"


def test_values_are_shown_short_also_those_that_python_cannot_write() -> None:
    deep: object = 1
    for _ in range(100_000):
        deep = [deep]
    assert shown(deep) == "[[[[[[[...]]]]]]]"
    assert shown([2, 3]) == "[2, 3]"
    assert shown("a" * 50) == f"'{'a' * 50}'"
    assert len(shown([["b" * 1000] * 1000] * 1000, 60)) == 60


def test_numbers_that_python_does_not_write_are_shown_by_their_length() -> None:
    assert shown(2**20_000) == shown(-(2**20_000)) == "a number of 20001 bits"
    assert shown([2**20_000]) == "[a number of 20001 bits]"
