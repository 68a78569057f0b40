"""Ctrl-C in the real chat: one press, and what must be noticed of what is kept."""

from __future__ import annotations

import pytest

from qwen3_mlx.text.pieces import Message
from tests.trust.presses import attack, fault_of_press

TURN: list[Message] = [
    {"role": "user", "content": "What is 2 + 3?"},
    {"role": "assistant", "content": "The answer", "interrupted": True},
]


def test_a_press_leaves_what_was_shown() -> None:
    tally = attack(1, seed=0)
    assert tally.offenders == []
    assert tally.counts.total() == 2  # the press, and the two that leave


@pytest.mark.parametrize(
    ("messages", "shown", "found"),
    [
        (TURN, "The answer\n", ("in the answer or a call", "")),
        (TURN, "The\n", ("in the answer or a call", "kept 'Theanswer', shown 'The'")),
        (TURN[:0], "The answer\n", ("before an answer", "shown, but not kept")),
        (TURN[:0], "", ("before an answer", "")),
    ],
)
def test_what_is_kept_is_held_against_the_screen(
    messages: list[Message], shown: str, found: tuple[str, str]
) -> None:
    assert fault_of_press(messages, "What is 2 + 3?", shown) == found
