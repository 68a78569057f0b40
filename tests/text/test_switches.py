from __future__ import annotations

import pytest

from qwen3_mlx.text.switches import find_switch, latest_switch


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/think", True),
        ("/no_think", False),
        ("What is 2 + 3? /no_think", False),
        ("/no_think What is 2 + 3?", False),
        ("one\n/think\ntwo", True),
        ("please /think.", True),
        ("please /no_think!?", False),
        ("/think now, no: /no_think", False),
        ("/no_think no: /think", True),
        ("", None),
        ("think", None),
        ("no_think", None),
        ("/thinking", None),
        ("/no_thinking", None),
        ("/no-think", None),
        ("/THINK", None),
        ("//think", None),
        ("a/think", None),
        ("/think/notes.txt", None),
        ("/think.py", None),
        ("./think", None),
        ("`/think`", None),
        ('"/no_think"', None),
        ("/think-tank", None),
        ("/thinké", None),
        ("\u00a0/think\u3000好", True),
    ],
)
def test_a_switch_is_a_whole_word(text: str, expected: bool | None) -> None:
    assert find_switch(text) is expected


def test_the_latest_switch_stays_until_the_next() -> None:
    assert latest_switch([]) is None
    assert latest_switch(["a", "b"]) is None
    assert latest_switch(["a /no_think", "b", "c"]) is False
    assert latest_switch(["a /no_think", "b /think", "c"]) is True
