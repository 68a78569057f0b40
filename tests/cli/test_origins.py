"""Flag before variable before file: which value holds, and what an error calls its place."""

from __future__ import annotations

import pytest
from typer.main import get_command

from qwen3_mlx.cli.app import app
from qwen3_mlx.cli.choices import Show, Switch
from qwen3_mlx.cli.config import config_path
from qwen3_mlx.cli.options import KINDS, Budget, Settings
from qwen3_mlx.cli.origins import VARIABLES, settle
from qwen3_mlx.cli.stated import flag_name
from qwen3_mlx.errors import UsageError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers


def configured(text: str) -> str:
    config_path().parent.mkdir(parents=True)
    config_path().write_text(text)
    return str(config_path())


def test_every_setting_has_a_flag_of_its_name() -> None:
    flags = {flag for option in get_command(app).commands["ask"].params for flag in option.opts}  # type: ignore[attr-defined]
    assert {f"--{flag_name(name)}" for name in KINDS} <= flags


def test_the_flag_comes_before_the_variable_and_that_before_the_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = configured("budget = 1\nseed = 1\ntop_k = 1")
    monkeypatch.setenv("QWEN3_MLX_BUDGET", "2")
    monkeypatch.setenv("QWEN3_MLX_SEED", "2")
    settled = settle({"budget": Budget(3), "seed": None})
    assert settled.settings == Settings(budget=Budget(3), seed=2, top_k=1)
    assert settled.origins == {
        "budget": "flag --budget",
        "seed": "QWEN3_MLX_SEED",
        "top_k": path,
    }


TEXTS = {
    "model": ("./8b", "./8b"),
    "budget": ("none", Budget(None)),
    "thinking": ("off", Switch.OFF),
    "thoughts": ("hidden", Show.HIDDEN),
    "redact": ("a+, [b]", ["a+, [b]"]),
    "system": ("--plain, please = yes", "--plain, please = yes"),
    "max_tokens": ("9", 9),
    "context": ("4096", 4096),
    "expert_memory": ("40%", "40%"),
    "draft": ("lookup", "lookup"),
    "kv_bits": ("8", 8),
    "max_kv": ("4096", 4096),
    "temp": ("0.5", 0.5),
    "top_p": ("0.9", 0.9),
    "top_k": ("7", 7),
    "min_p": ("0", 0.0),
    "seed": ("3", 3),
    "save_cache": ("yes", True),
    "wired": ("on", True),
    "offline": ("1", True),
    "plain": ("On", True),
}


def test_the_texts_below_are_of_all_settings() -> None:
    assert list(TEXTS) == list(KINDS)


@pytest.mark.parametrize("name", TEXTS)
def test_each_variable_is_read_as_its_flag_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, value = TEXTS[name]
    monkeypatch.setenv(f"QWEN3_MLX_{name.upper()}", text)
    assert settle({}).settings == Settings(**{name: value})  # type: ignore[arg-type]


def test_a_flag_turns_off_what_a_variable_turned_on(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN3_MLX_OFFLINE", "yes")
    llm.enqueue(answers("5"))
    llm.enqueue(answers("5"))
    invoke("ask", "2 + 3?")
    assert llm.loaded["offline"] is True
    invoke("ask", "2 + 3?", "--no-offline")
    assert llm.loaded["offline"] is False


def test_the_short_flag_of_a_setting_comes_before_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QWEN3_MLX_THINKING", "on")
    settled = settle({"think": False})
    assert settled.settings.thinks is False
    assert settled.origins == {"thinking": "flag --no-think"}


def test_an_empty_variable_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in VARIABLES.values():
        monkeypatch.setenv(variable, "")
    assert settle({}).origins == {}


@pytest.mark.parametrize(
    ("variable", "text", "why"),
    [
        ("QWEN3_MLX_BUDGET", "many", "'many' is no thinking budget"),
        ("QWEN3_MLX_THINKING", "maybe", "'maybe' is not one of 'on', 'off', 'auto'"),
        ("QWEN3_MLX_PLAIN", "loud", "'loud' is neither on nor off"),
        ("QWEN3_MLX_EXPERT_MEMORY", "lots", "'lots' is no amount of memory for experts"),
        ("QWEN3_MLX_MAX_TOKENS", "0", "Input should be greater than or equal to 1"),
    ],
)
def test_a_wrong_value_is_named_by_its_variable(
    variable: str, text: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, text)
    with pytest.raises(UsageError) as caught:
        settle({})
    assert caught.value.message.startswith(f"{variable}: {why}")
    assert caught.value.hint == "Correct the variable or unset it."


def test_what_a_flag_replaces_need_not_be_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_MLX_BUDGET", "many")
    assert settle({"budget": Budget(8)}).settings.budget == Budget(8)


def test_the_chat_hears_the_variables_too(
    invoke: Invoke, llm: FakeLLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN3_MLX_BUDGET", "64")
    assert invoke("chat").exit_code == 0
    assert llm.wishes["budget"] == 64
