"""Patterns of strangers: found or not, and never for ever."""

from __future__ import annotations

import pytest

from qwen3_mlx.evaluation import pattern
from qwen3_mlx.evaluation.pattern import MAX_CHARACTERS, check_pattern, found


def test_a_pattern_is_found_anywhere() -> None:
    assert found("b+", "abbc")
    assert not found("^b", "abbc")
    assert found("ünï", "é ünï")


def test_a_pattern_that_would_take_for_ever_is_not_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each letter more doubles the time: 60 take some hundred thousand years."""
    monkeypatch.setattr(pattern, "CPU_SECONDS", 0.1)
    assert check_pattern("(a+)+$") == ""
    assert not found("(a+)+$", "a" * 60 + "b")
    assert found("(a+)+$", "a" * 60)


@pytest.mark.parametrize("text", ["(", "a**", "[b-a]", "(?P<x>.)(?P<x>.)", "x{99999999999999}"])
def test_what_is_no_pattern(text: str) -> None:
    assert check_pattern(text)


def test_a_pattern_has_a_length() -> None:
    assert check_pattern("x" * MAX_CHARACTERS) == ""
    assert str(MAX_CHARACTERS) in check_pattern("x" * (MAX_CHARACTERS + 1))
