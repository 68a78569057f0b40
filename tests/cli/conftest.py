"""What the tests of the command line share: a scripted model, the CLI in-process, a screen."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
from typer.testing import CliRunner, Result

import qwen3_mlx
from qwen3_mlx.cli.app import app
from qwen3_mlx.cli.origins import VARIABLES
from tests.cli.fakes import FakeLLM, Step
from tests.cli.screen import Screen

Invoke: TypeAlias = Callable[..., Result]
Start: TypeAlias = Callable[..., Screen]


@pytest.fixture(autouse=True)
def config_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty configuration folder, and nothing in the environment that changes output."""
    home = tmp_path / "config"
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in (
        "NO_COLOR",
        "FORCE_COLOR",
        "COLUMNS",
        "LINES",
        "TTY_COMPATIBLE",
        *VARIABLES.values(),
    ):
        monkeypatch.delenv(name, raising=False)
    return home


@pytest.fixture
def llm(monkeypatch: pytest.MonkeyPatch) -> FakeLLM:
    """The model that `load` returns."""
    fake = FakeLLM()
    monkeypatch.setitem(vars(qwen3_mlx), "load", fake.load)
    return fake


@pytest.fixture
def invoke() -> Invoke:
    """Runs the command line in this process, with plain pipes."""

    def run(*args: str, stdin: str | bytes = "") -> Result:
        return CliRunner().invoke(app, list(args), input=stdin, prog_name="qwen3-mlx")

    return run


@pytest.fixture
def start(config_home: Path) -> Iterator[Start]:
    """Starts `chat` with a model that plays the given turns; returns at the prompt."""
    with ExitStack() as screens:

        def run(*turns: list[Step], args: tuple[str, ...] = ("chat",), **how: object) -> Screen:
            names = "from qwen3_mlx.errors import *\nfrom tests.cli.fakes import *"
            code = f"{names}\nrun({list(turns)!r})"
            command = [sys.executable, "-c", code, *args]
            return screens.enter_context(Screen(command, **how))  # type: ignore[arg-type]

        yield run
