"""Arguments for all prompts or for each, and what is no list of prompts."""

from __future__ import annotations

import pytest

from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.batch_args import check_prompts, for_each


def test_one_value_is_for_all_and_a_list_has_one_for_each() -> None:
    assert for_each(2, {"budget": [8, None], "thinking": True, "system": "Be brief."}) == [
        {"budget": 8, "thinking": True, "system": "Be brief."},
        {"budget": None, "thinking": True, "system": "Be brief."},
    ]
    assert for_each(3, {}) == [{}, {}, {}]


def test_a_list_of_another_length_is_named() -> None:
    with pytest.raises(UsageError, match="seed has 3 values for 2 prompts"):
        for_each(2, {"thinking": [True, False], "seed": (1, 2, 3)})


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        ("What is 2 + 3?", "no list"),
        (None, "no list"),
        ([], "no prompts"),
        (b"What is 2 + 3?", "no list"),
    ],
)
def test_what_is_no_list_of_prompts_is_refused(prompts: object, said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        check_prompts(prompts)
    assert error.value.hint


def test_texts_and_conversations_are_prompts() -> None:
    check_prompts(["Hi", [{"role": "user", "content": "Hi"}]])
