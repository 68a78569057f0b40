"""The configuration file: what is read, what is refused, how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen3_mlx.cli.choices import Show, Switch
from qwen3_mlx.cli.config import config_path, read_config, set_model
from qwen3_mlx.cli.options import Budget, Settings
from qwen3_mlx.cli.origins import settle
from qwen3_mlx.errors import Qwen3Error, UsageError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers


def written(text: str) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True)
    path.write_bytes(text.encode())
    return path


def test_it_lives_in_the_xdg_folder(config_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_path() == config_home / "qwen3-mlx" / "config.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert config_path() == Path("/home/ann/.config/qwen3-mlx/config.toml")


def test_without_a_file_nothing_is_set() -> None:
    assert read_config() == []
    assert settle({}).settings == Settings()


def test_the_keys_are_the_names_of_the_options() -> None:
    written(
        """
        model = "8b"
        budget = "none"
        thinking = true
        thoughts = "summary"
        redact = ["a+", '[0-9]{4}']
        system = "Be brief."
        max_tokens = 900
        context = 65_536
        expert_memory = "6GB"
        temp = 1e-1
        top_p = 1
        offline = true
        plain = false
        """
    )
    assert settle({}).settings == Settings(
        model="8b",
        budget=Budget(None),
        thinking=Switch.ON,
        thoughts=Show.SUMMARY,
        redact=["a+", "[0-9]{4}"],
        system="Be brief.",
        max_tokens=900,
        context=65536,
        expert_memory="6GB",
        temp=0.1,
        top_p=1.0,
        offline=True,
    )


@pytest.mark.parametrize("name", ["8b", "Qwen/Qwen3-8B", './my "models"\\8b', "モデル 🤖"])
def test_the_model_that_is_written_is_read(name: str) -> None:
    path = set_model(name)
    assert settle({}).settings.model == name
    assert list(path.parent.iterdir()) == [path]


def test_a_person_can_read_it() -> None:
    assert set_model("8b").read_text() == 'model = "8b"\n'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("budget = 64", 'budget = 64\nmodel = "8b"\n'),
        ("# mine\r\nbudget = 64\r\n", '# mine\r\nbudget = 64\r\nmodel = "8b"\n'),
        ('model = "4b" # small\nseed = 1\n', 'model = "8b" # small\nseed = 1\n'),
        ("  model='4\"b'\n# model = 1\n", '  model="8b"\n# model = 1\n'),
        ('model = "a\\"b" # c\n', 'model = "8b" # c\n'),
    ],
)
def test_all_but_the_model_stays_as_a_person_wrote_it(before: str, after: str) -> None:
    path = written(before)
    set_model("8b")
    assert path.read_bytes().decode() == after


@pytest.mark.parametrize(
    "text",
    [
        'system = """\nmodel = "x"\n"""\nmodel = "4b"\n',
        '"model" = "4b"\n',
        'model = """4b"""\n',
    ],
)
def test_a_line_that_cannot_be_told_apart_is_left_to_the_person(text: str) -> None:
    path = written(text)
    with pytest.raises(UsageError) as caught:
        set_model("8b")
    assert str(path) in caught.value.message
    assert path.read_text() == text


def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    path = written("")
    path.unlink()
    (tmp_path / "dotfile").write_text("seed = 1\n")
    path.symlink_to(tmp_path / "dotfile")
    set_model("8b")
    assert path.is_symlink()
    assert (tmp_path / "dotfile").read_text() == 'seed = 1\nmodel = "8b"\n'


@pytest.mark.parametrize(
    ("text", "why", "hint"),
    [
        ("model = ", "Invalid value", "Correct the file or remove it."),
        ("model = " + "[" * 10_000, "maximum recursion", "Correct the file or remove it."),
        ('modle = "8b"', "unknown key 'modle'", "The keys are model, budget, thinking,"),
        ("think = true", "unknown key 'think'", "The keys are model, budget, thinking,"),
        ("model = 8", "model is not a string", "Correct the file or remove it."),
        ("system = true", "system is not a string", "Correct the file or remove it."),
        ("temp = 1001", "temp: Input should be less than or equal to 1000", "Correct the file"),
        ("seed = -1", "seed: Input should be greater than or equal to 0", "Correct the file"),
        ("budget = [1]", "budget is not a single value", "Correct the file or remove it."),
        ("redact = ['a', 1]", "redact is not a string", "Correct the file or remove it."),
        ("redact = 'a*'", "redact: 'a*' matches the empty text", "Correct the file or remove it."),
        ("budget = -1", "budget: '-1' is no thinking budget", "Correct the file or remove it."),
        ("expert_memory = 6", "expert_memory is not a string", "Correct the file or remove it."),
        (
            "expert_memory = '6'",
            "expert_memory: '6' is no amount",
            "Correct the file or remove it.",
        ),
        ("thinking = 1", "thinking: '1' is not one of", "Correct the file or remove it."),
        ("top_k = 1.5", "top_k: ", "Correct the file or remove it."),
        ('plain = "loud"', "plain: 'loud' is neither on nor off", "Correct the file or remove it."),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, why: str, hint: str) -> None:
    path = written(text)
    with pytest.raises(UsageError) as caught:
        settle({})
    assert caught.value.message.startswith(f"{path}: {why}")
    assert (caught.value.hint or "").startswith(hint)


def test_a_file_that_is_not_understood_is_not_changed() -> None:
    path = written("model = ")
    with pytest.raises(UsageError, match="Invalid value"):
        set_model("8b")
    assert path.read_text() == "model = "


def test_bytes_that_are_no_text_are_refused() -> None:
    written("").write_bytes(b"model = '\xff'")
    with pytest.raises(UsageError, match="can't decode"):
        read_config()


def test_a_folder_that_cannot_be_written(config_home: Path) -> None:
    config_home.symlink_to("nowhere")
    with pytest.raises(Qwen3Error, match="cannot be written"):
        set_model("8b")


@pytest.mark.parametrize(("args", "model"), [([], "8b"), (["-m", "tiny"], "tiny")])
def test_the_configured_model_is_used_when_none_is_given(
    invoke: Invoke, llm: FakeLLM, args: list[str], model: str
) -> None:
    set_model("8b")
    llm.enqueue(answers("5"))
    invoke("ask", "2 + 3?", *args)
    assert llm.loaded["name"] == model


def test_a_broken_configuration_ends_a_command_with_its_name(invoke: Invoke, llm: FakeLLM) -> None:
    path = written("model = 8")
    result = invoke("ask", "2 + 3?")
    assert result.exit_code == 2
    assert result.stderr == (
        f"Error: {path}: model is not a string\nCorrect the file or remove it.\n"
    )


def test_a_file_without_end_is_refused() -> None:
    written("#" * (10**6 + 1))
    with pytest.raises(UsageError, match="it is larger than 1 MB: these are no settings"):
        read_config()


def test_a_number_of_any_length_is_refused_in_words() -> None:
    written(f"context = 0x{'f' * 90_000}")
    with pytest.raises(UsageError, match="context is a number of 360000 bits"):
        read_config()
