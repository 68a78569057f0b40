"""`models` and `pull`: what is listed, what is fetched, what is offered."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qwen3_mlx import bundled, memory
from qwen3_mlx.checkpoint import hub
from qwen3_mlx.checkpoint.hub import Downloaded
from qwen3_mlx.cli.config import config_path, set_model
from qwen3_mlx.cli.origins import settle
from qwen3_mlx.errors import ModelNotFoundError
from tests.cli.conftest import Invoke
from tests.cli.fakes import FakeLLM
from tests.cli.screen import Screen

MISSING = "the model 8b (mlx-community/Qwen3-8B-4bit, 4.61 GB) is not on this machine"


def configured_model() -> object:
    return settle({}).settings.model


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Downloaded]:
    """A machine with 16 GB, two bundled models of 6 MB, and the downloaded models returned."""

    def bundled_path(name: str) -> Path:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "model.safetensors").write_bytes(bytes(6_000_000))
        return folder

    downloaded: list[Downloaded] = []
    monkeypatch.setattr(bundled, "bundled_path", bundled_path)
    monkeypatch.setattr(memory, "machine_memory", lambda: 16 * 10**9)
    monkeypatch.setattr(hub, "list_downloaded", lambda: downloaded)
    return downloaded


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that were fetched from a hub of our own."""
    names: list[str] = []

    def download(name: str, progress: Callable[[int, int], None]) -> Path:
        names.append(name)
        for done in (0, 10, 45, 46, 100):
            progress(done, 100)
        return Path("/cache") / name

    monkeypatch.setattr(hub, "download", download)
    return names


def test_models_lists_bundled_downloaded_and_known(
    invoke: Invoke, machine: list[Downloaded]
) -> None:
    machine.append(Downloaded("ann/Qwen3-\x1b[2Jmine", Path("/cache/mine"), 34_000_000))
    machine.append(Downloaded("mlx-community/Qwen3-8B-4bit", Path("/cache/8b"), 4_620_000_000))
    result = invoke("models")
    lines = result.stdout.splitlines()
    assert lines[:3] == [
        "NAME                         SIZE",
        "tiny                       6.0 MB  bundled, default",
        "tiny-dense                 6.0 MB  bundled",
    ]
    assert "0.6b                       0.3 GB" in lines
    assert "8b                         4.6 GB  downloaded" in lines
    assert "32b                       18.4 GB  too large for this machine" in lines
    assert lines[-1] == "ann/Qwen3-mine            34.0 MB  downloaded"
    assert result.stderr == "[fetch one: qwen3-mlx pull NAME]\n"


def test_models_in_json(invoke: Invoke, machine: list[Downloaded]) -> None:
    machine.append(Downloaded("ann/Qwen3-\x1b[2Jmine", Path("/cache/mine"), 34_000_000))
    result = invoke("models", "--json")
    assert "\x1b" not in result.stdout
    found = {model["name"]: model for model in json.loads(result.stdout)}
    assert found["tiny"] == {
        "name": "tiny",
        "bytes": 6_000_000,
        "bundled": True,
        "downloaded": False,
        "fits": True,
        "default": True,
    }
    assert [found["8b"]["fits"], found["32b"]["fits"]] == [True, False]
    mine = found["ann/Qwen3-\x1b[2Jmine"]
    assert [mine["bytes"], mine["downloaded"], mine["fits"]] == [34_000_000, True, None]
    assert result.stderr == ""


def test_models_marks_the_configured_one(invoke: Invoke, machine: list[Downloaded]) -> None:
    set_model("4b")
    lines = invoke("models").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("default")] == ["4b"]


def test_models_marks_a_folder_that_is_the_default(
    invoke: Invoke, machine: list[Downloaded], tmp_path: Path
) -> None:
    folder = tmp_path / "my model"
    (folder / "more").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(bytes(2_000_000))
    assert invoke("pull", str(folder), "--default").exit_code == 0
    lines = invoke("models").stdout.splitlines()
    assert lines[-1].split() == [*str(folder).split(), "2.0", "MB", "default"]
    assert sum(line.endswith("default") for line in lines) == 1
    (row,) = [row for row in json.loads(invoke("models", "--json").stdout) if row["default"]]
    assert row == {
        "name": str(folder),
        "bytes": 2_000_000,
        "bundled": False,
        "downloaded": False,
        "fits": None,
        "default": True,
    }


def test_models_marks_a_known_model_by_its_repository(
    invoke: Invoke, machine: list[Downloaded]
) -> None:
    set_model("mlx-community/Qwen3-4B-4bit")
    lines = invoke("models").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("default")] == ["4b"]


@pytest.mark.parametrize("name", ["/no/such/folder", "ann/Qwen3-not-here", "no such name"])
def test_models_lists_no_default_that_is_not_there(
    invoke: Invoke, machine: list[Downloaded], name: str
) -> None:
    set_model(name)
    assert "default" not in invoke("models").stdout


def test_a_variable_can_name_the_default(
    invoke: Invoke, machine: list[Downloaded], monkeypatch: pytest.MonkeyPatch
) -> None:
    set_model("4b")
    monkeypatch.setenv("QWEN3_MLX_MODEL", "8b")
    lines = invoke("models").stdout.splitlines()
    assert [line.split()[0] for line in lines if line.endswith("default")] == ["8b"]


def test_pull_fetches_and_says_where_and_how_to_go_on(invoke: Invoke, fetched: list[str]) -> None:
    result = invoke("pull", "8b")
    assert fetched == ["8b"]
    assert result.stdout == "/cache/8b\n"
    assert result.stderr == (
        "[fetching 8b 10 %]\n[fetching 8b 40 %]\n[fetching 8b 100 %]\n"
        "[talk to it: qwen3-mlx chat -m 8b]\n"
    )
    assert not config_path().exists()


def test_pull_default_makes_it_the_configured_one(invoke: Invoke, fetched: list[str]) -> None:
    result = invoke("pull", "8b", "--default")
    assert result.stderr.endswith("[it is used from now on: qwen3-mlx chat]\n")
    assert config_path().read_text() == 'model = "8b"\n'


def test_pull_default_keeps_the_other_settings(invoke: Invoke, fetched: list[str]) -> None:
    path = set_model("4b")
    path.write_text('# mine\nmodel = "4b"  # small\nbudget = 64\n')
    assert invoke("pull", "8b", "--default").exit_code == 0
    assert path.read_text() == '# mine\nmodel = "8b"  # small\nbudget = 64\n'


def test_a_bundled_model_need_not_be_fetched(
    invoke: Invoke, machine: list[Downloaded], fetched: list[str], tmp_path: Path
) -> None:
    set_model("8b")
    assert invoke("pull", "tiny", "--default").stdout == f"{tmp_path / 'tiny'}\n"
    assert (fetched, configured_model()) == ([], "tiny")


def test_a_folder_can_be_the_default_from_anywhere(
    invoke: Invoke, fetched: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "my model").mkdir()
    (tmp_path / "my model" / "config.json").touch()
    monkeypatch.chdir(tmp_path)
    assert invoke("pull", "./my model", "--default").exit_code == 0
    assert (fetched, configured_model()) == ([], str(tmp_path / "my model"))


def test_pull_of_an_unknown_name(invoke: Invoke) -> None:
    result = invoke("pull", "tinny", "--default")
    assert result.exit_code == 3
    assert result.stderr == "Error: there is no model called 'tinny'\nDid you mean tiny?\n"
    assert not config_path().exists()


def test_a_missing_model_is_not_fetched_behind_a_script_s_back(
    invoke: Invoke, llm: FakeLLM, fetched: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_args: object, **_wishes: object) -> None:
        raise ModelNotFoundError(MISSING, hint="Fetch it with `qwen3-mlx pull 8b`.")

    monkeypatch.setattr(llm, "load", missing)
    monkeypatch.setitem(vars(sys.modules["qwen3_mlx"]), "load", missing)
    result = invoke("ask", "-m", "8b", "2 + 3?", stdin="y\n")
    assert (result.exit_code, fetched) == (3, [])
    assert result.stderr == f"Error: {MISSING}\nFetch it with `qwen3-mlx pull 8b`.\n"


OFFERED = """
from tests.cli.fakes import *
import tests.cli.fakes as fakes
from qwen3_mlx.checkpoint import hub
from qwen3_mlx.errors import ModelNotFoundError

def load(name, **wishes):
    if not here:
        raise ModelNotFoundError("8b is missing", hint="Fetch it with `qwen3-mlx pull 8b`.")
    return llm

here = []
llm = FakeLLM("8b", "hub")
llm.enqueue(answers("5"))
vars(hub).update(download=lambda name, progress: here.append(name) or Path("/cache"))
vars(qwen3_mlx).update(load=load, __version__="1.2.3")
main()
"""


@pytest.fixture
def offered() -> Callable[..., Screen]:
    """Starts a command whose model `8b` is missing and can be fetched."""

    def start(*args: str) -> Screen:
        return Screen([sys.executable, "-c", OFFERED, *args])

    return start


def test_a_person_is_asked_and_told_the_size(offered: Callable[..., Screen]) -> None:
    with offered("ask", "-m", "8b", "2 + 3?") as screen:
        screen.wait_for("[y/N]")
        assert screen.text == (
            "8b is not on this machine. Fetch mlx-community/Qwen3-8B-4bit, 4.61 GB? [y/N]"
        )
        screen.type("y\r")
        assert screen.finish() == 0
        assert "\n5\n" in screen.text


@pytest.mark.parametrize("answer", ["\r", "n\r", "\x04"])
def test_no_is_the_default(offered: Callable[..., Screen], answer: str) -> None:
    with offered("ask", "-m", "8b", "2 + 3?") as screen:
        screen.wait_for("[y/N]")
        screen.type(answer)
        assert screen.finish() == 3
        assert "Fetch it with `qwen3-mlx pull 8b`." in screen.text


def test_offline_nobody_is_asked(offered: Callable[..., Screen]) -> None:
    with offered("ask", "-m", "8b", "--offline", "2 + 3?") as screen:
        assert screen.finish() == 3
        assert "[y/N]" not in screen.text


def test_ctrl_c_at_the_question_leaves_on_a_line_of_its_own(offered: Callable[..., Screen]) -> None:
    with offered("ask", "-m", "8b", "2 + 3?") as screen:
        screen.wait_for("[y/N]")
        screen.type("\x03")
        assert screen.finish() == 130
        assert screen.text.splitlines()[0].endswith("[y/N] ^C")
