"""Defaults by mode, and what `generation_config.json` changes about them."""

from __future__ import annotations

import pytest

from qwen3_mlx.errors import ModelFileError, UsageError
from qwen3_mlx.generation.defaults import ANSWERING, THINKING, Defaults, read_defaults
from qwen3_mlx.generation.limits import check_budget_fits, thinking_room
from qwen3_mlx.generation.sampling import SamplingOptions
from qwen3_mlx.generation.thinking import ThinkingBudget

HYBRID_FILE = {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.95}


def test_the_values_of_the_model_cards() -> None:
    defaults = Defaults()
    assert defaults.sampling(thinking=True, chosen={}) == SamplingOptions(0.6, 0.95, 20, 0.0)
    assert defaults.sampling(thinking=False, chosen={}) == SamplingOptions(0.7, 0.8, 20, 0.0)
    assert defaults.budget == 4096


def test_what_a_person_chose_comes_first_and_none_is_no_choice() -> None:
    chosen = Defaults().sampling(
        thinking=False, chosen={"temp": 1.0, "top_p": None, "seed": 3, "min_p": 0.1}
    )
    assert chosen == SamplingOptions(1.0, 0.8, 20, 0.1, seed=3)


def test_a_hybrids_file_is_about_thinking() -> None:
    defaults = read_defaults({**HYBRID_FILE, "top_k": 30}, "hybrid", budget=8)
    assert defaults.thinking.top_k == 30
    assert defaults.answering == ANSWERING
    assert defaults.budget == 8


def test_an_instruct_models_file_is_about_its_only_mode() -> None:
    file = {"temperature": 0.8, "repetition_penalty": 1.05}
    defaults = read_defaults(file, "instruct", budget=None)
    assert (defaults.answering.temperature, defaults.answering.repetition_penalty) == (0.8, 1.05)


def test_an_absent_file_changes_nothing() -> None:
    assert read_defaults({}, "hybrid", budget=4096) == Defaults()


def test_do_sample_false_is_greedy_in_both_modes_and_not_warned_about() -> None:
    defaults = read_defaults({**HYBRID_FILE, "do_sample": False}, "hybrid", budget=512)
    assert defaults.thinking.greedy
    assert defaults.answering.greedy
    assert defaults.warning(thinking=True, chosen={"temp": 0.0}) is None


def test_greedy_thinking_is_warned_about() -> None:
    warning = Defaults().warning(thinking=True, chosen={"temp": 0.0})
    assert warning is not None
    assert "0.6" in warning
    assert Defaults().warning(thinking=False, chosen={"temp": 0.0}) is None
    assert Defaults().warning(thinking=True, chosen={"temp": 0.5}) is None
    assert Defaults().warning(thinking=True, chosen={}) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "hot"),
        ("temperature", -1),
        ("temperature", True),
        ("top_k", 2.5),
        ("top_p", 7.0),
        ("do_sample", "yes"),
        ("do_sample", 0),
    ],
)
def test_bad_values_are_refused_by_field(field: str, value: object) -> None:
    with pytest.raises(ModelFileError, match=rf"generation_config\.json: {field}"):
        read_defaults({field: value}, "hybrid", budget=None)


def test_values_of_an_unknown_name_are_not_ours_to_judge() -> None:
    file = {"transformers_version": "4.51.0", "eos_token_id": [1, 2]}
    assert read_defaults(file, "hybrid", budget=4096).thinking == THINKING


def test_the_numbers_of_a_conflict_are_told_and_lead_out_of_it() -> None:
    with pytest.raises(UsageError) as error:
        check_budget_fits(ThinkingBudget(64), 24, 100)
    assert error.value.message == (
        "max_tokens 100 is too small for a budget of 64: with 24 tokens of stop instruction and"
        " 32 kept for the answer it takes 120"
    )
    assert error.value.hint == "Use max_tokens of 120 or more, or a budget of at most 44."
    check_budget_fits(ThinkingBudget(44), 24, 100)
    check_budget_fits(ThinkingBudget(64), 24, 120)


@pytest.mark.parametrize(
    ("budget", "max_tokens"),
    [
        (ThinkingBudget(4096, given=False), 10),
        (ThinkingBudget(None), 10),
        (ThinkingBudget(9999), None),
    ],
)
def test_only_a_budget_that_was_given_can_conflict(
    budget: ThinkingBudget, max_tokens: int | None
) -> None:
    check_budget_fits(budget, 24, max_tokens)


def test_the_room_for_thoughts() -> None:
    assert thinking_room(1000, 24, None) == 1000 - 2 - 24 - 32
    assert thinking_room(1000, 24, 100) == 100 - 24 - 32
    assert thinking_room(50, 24, None) == 0
