"""The configuration file: what is read, what is refused, how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from qwen3_mlx.cli.config import Config, config_path, read_config, write_config
from qwen3_mlx.errors import Qwen3Error, UsageError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM, answers


def written(text: str) -> Path:
    path = config_path()
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_it_lives_in_the_xdg_folder(config_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert config_path() == config_home / "qwen3-mlx" / "config.toml"
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", "/home/ann")
    assert config_path() == Path("/home/ann/.config/qwen3-mlx/config.toml")


def test_without_a_file_nothing_is_set() -> None:
    assert read_config() == Config(model=None)


@pytest.mark.parametrize("name", ["8b", "Qwen/Qwen3-8B", './my "models"\\8b', "モデル 🤖"])
def test_what_is_written_is_read(name: str) -> None:
    path = write_config(Config(model=name))
    assert read_config() == Config(model=name)
    assert list(path.parent.iterdir()) == [path]


def test_a_person_can_read_it() -> None:
    assert write_config(Config(model="8b")).read_text() == 'model = "8b"\n'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("model = ", "Invalid value"),
        ('modle = "8b"', "unknown key 'modle'"),
        ("model = 8", "model is not a string"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(text: str, why: str) -> None:
    path = written(text)
    with pytest.raises(UsageError) as caught:
        read_config()
    assert caught.value.message.startswith(f"{path}: {why}")
    assert caught.value.hint == "Correct the file or remove it."


def test_bytes_that_are_no_text_are_refused() -> None:
    written("").write_bytes(b"model = '\xff'")
    with pytest.raises(UsageError, match="can't decode"):
        read_config()


def test_a_folder_that_cannot_be_written(config_home: Path) -> None:
    config_home.write_text("in the way")
    with pytest.raises(Qwen3Error, match="cannot be written"):
        write_config(Config(model="8b"))


@pytest.mark.parametrize(("args", "model"), [([], "8b"), (["-m", "tiny"], "tiny")])
def test_the_configured_model_is_used_when_none_is_given(
    invoke: Invoke, llm: FakeLLM, args: list[str], model: str
) -> None:
    write_config(Config(model="8b"))
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
