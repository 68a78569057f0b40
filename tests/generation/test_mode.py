"""Whether a reply thinks: which of setting, switch and message comes first."""

from __future__ import annotations

from typing import Any

import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.mode import Thinking, choose, settled


@pytest.mark.parametrize(
    ("thinking", "switch", "wanted"),
    [
        (True, None, True),
        (True, False, False),
        (True, True, True),
        (False, None, False),
        (False, True, False),  # off is hard
        ("auto", None, "auto"),
        ("auto", True, True),
        ("auto", False, False),
    ],
)
def test_a_switch_comes_before_all_but_off(
    thinking: Thinking, switch: bool | None, wanted: Thinking
) -> None:
    assert settled(thinking, switch) == wanted


@pytest.mark.parametrize("thinking", ["on", "off", "", "AUTO", 1, None])
def test_what_is_no_way_to_think(thinking: Any) -> None:
    with pytest.raises(UsageError, match="thinking is"):
        settled(thinking, None)


def test_the_message_decides() -> None:
    assert choose("What is the capital of Peru?").think is False
    assert choose("What is the capital of Peru?").reason == "lookup-like"
    assert choose("Why is the sky blue?").think is True
