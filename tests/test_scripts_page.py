"""The page on scripts: its commands, fields and codes are those of the program."""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import get_args

import pytest

from qwen3_mlx import errors, events
from qwen3_mlx.cli.jsonl import NAMES
from qwen3_mlx.cli.origins import VARIABLES
from qwen3_mlx.errors import Qwen3Error
from tests.pages import ROOT, arguments_of, blocks, commands, run, steady

PAGE = (ROOT / "docs" / "scripts.md").read_text("utf-8")
COMMANDS = commands(PAGE)
(CONFIG,) = blocks(PAGE, "toml")
(CODE,) = blocks(PAGE, "python")
FIELDS = {
    name: re.findall(r"`(\w+)`", fields)
    for name, fields in re.findall(r"^\| `(\w+)` \| (`.*) \|$", PAGE, re.MULTILINE)
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the page's file of settings and its story."""
    folder = tmp_path / ".config" / "qwen3-mlx"
    folder.mkdir(parents=True)
    (tmp_path / "story.txt").write_text("Tom has 12 apples and buys 7 more.\n")
    return tmp_path


def run_at(command: str, home: Path) -> str:
    """Everything a command prints in that home; the settings are those of the page, if shown."""
    arguments = arguments_of(command)
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES.values()}
    environment |= {"HOME": str(home), "XDG_CONFIG_HOME": ""}
    if "config" in arguments:
        (home / ".config" / "qwen3-mlx" / "config.toml").write_text(CONFIG)
        environment["QWEN3_MLX_BUDGET"] = "16"
    return run(arguments, folder=home, env=environment).replace(str(home), "~")


@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_a_command_prints_what_the_page_shows(command: str, shown: str, home: Path) -> None:
    assert steady(run_at(command, home)) == steady(shown)


def test_the_code_prints_what_its_comments_say() -> None:
    expected = re.findall(r"print\(.*?\) +# (.*)", CODE)
    assert run(["-c", CODE]).splitlines() == expected


def names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def test_the_fields_of_every_event_are_listed() -> None:
    expected = {name: names(kind) for kind, name in NAMES.items()}
    expected["done"] = ["model", *(name for name in names(events.Reply) if name != "tool_calls")]
    expected["usage"] = names(events.Usage)
    expected["timing"] = names(events.Timing)
    expected["auto"] = names(events.AutoReport)
    expected["steps"] = names(events.Step)
    assert expected == FIELDS


def test_the_reasons_are_listed() -> None:
    for reasons in (events.StopThinking, events.FinishReason):
        *first, last = (f"`{reason}`" for reason in get_args(reasons))
        assert f"{', '.join(first)} or {last}" in PAGE


def test_the_exit_codes_are_listed() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, Qwen3Error)}
    assert codes <= {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
