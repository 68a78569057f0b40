"""The page on scripts: its commands, fields and codes are those of the program."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from qwen3_mlx import errors, events
from qwen3_mlx.cli.jsonl import NAMES
from qwen3_mlx.cli.origins import VARIABLES
from qwen3_mlx.errors import Qwen3Error

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "scripts.md").read_text("utf-8")
CONSOLE = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
PARTS = re.split(r"^\$ (.*)\n", CONSOLE, flags=re.MULTILINE)
COMMANDS = list(zip(PARTS[1::2], PARTS[2::2], strict=True))
(CONFIG,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
FIELDS = {
    name: re.findall(r"`(\w+)`", fields)
    for name, fields in re.findall(r"^\| `(\w+)` \| (`.*) \|$", PAGE, re.MULTILINE)
}
VARYING = re.compile(r"\d+(?:\.\d+)?(?= (?:s|tok/s)\b)")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with the page's file of settings and its story."""
    folder = tmp_path / ".config" / "qwen3-mlx"
    folder.mkdir(parents=True)
    (tmp_path / "story.txt").write_text("Tom has 12 apples and buys 7 more.\n")
    return tmp_path


def run(command: str, home: Path) -> str:
    """Everything a command prints in that home; the settings are those of the page, if shown."""
    program, *arguments = shlex.split(command)
    assert program == "qwen3-mlx"
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES.values()}
    environment |= {"PYTHONPATH": str(ROOT), "HOME": str(home), "XDG_CONFIG_HOME": ""}
    if arguments[0] == "config":
        (home / ".config" / "qwen3-mlx" / "config.toml").write_text(CONFIG)
        environment["QWEN3_MLX_BUDGET"] = "16"
    done = subprocess.run(
        [sys.executable, "-m", "qwen3_mlx", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
        cwd=home,
        env=environment,
    )
    return done.stdout.replace(str(home), "~")


@pytest.mark.parametrize(("command", "shown"), COMMANDS)
def test_a_command_prints_what_the_page_shows(command: str, shown: str, home: Path) -> None:
    assert VARYING.sub("N", run(command, home)) == VARYING.sub("N", shown)


def names(kind: type) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def test_the_fields_of_every_event_are_listed() -> None:
    expected = {name: names(kind) for kind, name in NAMES.items()}
    expected["done"] = ["model", *(name for name in names(events.Reply) if name != "tool_calls")]
    expected["usage"] = names(events.Usage)
    expected["timing"] = names(events.Timing)
    assert expected == FIELDS


def test_the_reasons_are_listed() -> None:
    for reasons in (events.StopThinking, events.FinishReason):
        *first, last = (f"`{reason}`" for reason in get_args(reasons))
        assert f"{', '.join(first)} or {last}" in PAGE


def test_the_exit_codes_are_listed() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    codes = {kind.exit_code for kind in kinds if issubclass(kind, Qwen3Error)}
    assert codes <= {int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)}
