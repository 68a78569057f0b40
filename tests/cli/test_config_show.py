"""`config show`: which values are shown, and where they are said to be from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen3_mlx import bundled
from qwen3_mlx.cli.config import config_path
from tests.cli.conftest import Invoke

CARDS = {"temperature": 0.6, "top_k": 30}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model without its weights, with sampling of its own."""
    folder = tmp_path / "mine"
    folder.mkdir()
    for file in bundled.bundled_path("tiny").iterdir():
        if "safetensors" not in file.name:
            (folder / file.name).write_bytes(file.read_bytes())
    (folder / "generation_config.json").write_text(json.dumps(CARDS))
    return folder


def shown(invoke: Invoke, *args: str) -> dict[str, tuple[object, str]]:
    result = invoke("config", "show", "--origin", "--json", *args)
    return {name: (one["value"], one["origin"]) for name, one in json.loads(result.stdout).items()}


def test_a_table_of_what_holds(invoke: Invoke) -> None:
    result = invoke("config", "show", "-b", "none", "--system", "Be\nbrief")
    context = json.loads((bundled.bundled_path("tiny") / "config.json").read_text())[
        "max_position_embeddings"
    ]
    assert result.stdout == (
        "SETTING        VALUE\n"
        "model          tiny\n"
        "budget         none\n"
        "thinking       on\n"
        "thoughts       window\n"
        "redact         none\n"
        "system         Be brief\n"
        "max_tokens     none\n"
        f"context        {context}\n"
        "expert_memory  none\n"
        "draft          none\n"
        "kv_bits        none\n"
        "max_kv         none\n"
        "temp           0.0\n"
        "top_p          1.0\n"
        "top_k          0\n"
        "min_p          0.0\n"
        "seed           none\n"
        "save_cache     off\n"
        "wired          off\n"
        "offline        off\n"
        "plain          off\n"
    )
    assert (result.stderr, result.exit_code) == ("", 0)


def test_a_table_of_origins(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    config_path().parent.mkdir(parents=True)
    config_path().write_text("seed = 3\nthinking = false\n")
    monkeypatch.setenv("QWEN3_MLX_BUDGET", "64")
    rows = [line.split(maxsplit=2) for line in _table(invoke, "--no-offline", "--temp", "1")]
    assert rows[0] == ["SETTING", "VALUE", "ORIGIN"]
    assert ["model", "tiny", "built in"] in rows
    assert ["budget", "64", "QWEN3_MLX_BUDGET"] in rows
    assert ["thinking", "off", str(config_path())] in rows
    assert ["seed", "3", str(config_path())] in rows
    assert ["temp", "1.0", "flag --temp"] in rows
    assert ["top_k", "0", "generation_config.json of tiny"] in rows
    assert ["context", "2048", "config.json of tiny"] in rows
    assert ["offline", "off", "flag --no-offline"] in rows


def _table(invoke: Invoke, *args: str) -> list[str]:
    return invoke("config", "show", "--origin", *args).stdout.splitlines()


def test_json_holds_values_as_they_are(invoke: Invoke) -> None:
    values = json.loads(invoke("config", "show", "--json", "--no-think", "-b", "9").stdout)
    assert values["budget"] == 9
    assert values["thinking"] is False
    assert values["system"] is None
    assert values["model"] == "tiny"


def test_patterns_stand_in_one_line(invoke: Invoke) -> None:
    args = ("--redact", "a+", "--redact", "b")
    row = next(line for line in _table(invoke, *args) if line.startswith("redact"))
    assert row.split(maxsplit=1)[1].split("  ")[0] == "a+, b"
    assert shown(invoke, *args)["redact"] == (["a+", "b"], "flag --redact")


def test_a_model_s_files_are_read_and_its_weights_are_not(invoke: Invoke, folder: Path) -> None:
    values = shown(invoke, "-m", str(folder))
    file = f"generation_config.json of {folder}"
    assert values["model"] == (str(folder), "flag --model")
    assert values["budget"] == (4096, "built in")
    assert values["temp"] == (0.6, file)
    assert values["top_k"] == (30, file)
    assert values["top_p"] == (0.95, "built in")
    assert values["min_p"] == (0.0, "built in")


@pytest.mark.parametrize("args", [["--no-think"], ["--budget", "0"]])
def test_a_hybrid_s_file_is_about_thinking(invoke: Invoke, folder: Path, args: list[str]) -> None:
    values = shown(invoke, "-m", str(folder), *args)
    assert values["temp"] == (0.7, "built in")
    assert values["top_k"] == (20, "built in")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("8b", "the model 8b (mlx-community/Qwen3-8B-4bit, 4.61 GB) is not on this machine"),
        ("tinny", "there is no model called 'tinny'"),
    ],
)
def test_a_model_that_is_not_here_is_no_error(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
) -> None:
    monkeypatch.setattr("qwen3_mlx.checkpoint.hub.cached_path", lambda _repo: None)
    result = invoke("config", "show", "--origin", "-m", name, "--top-k", "5")
    assert result.exit_code == 0
    assert result.stderr == f"[{said}]\n"
    rows = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert ["temp", "unknown", f"files of {name}"] in rows
    assert ["context", "unknown", f"files of {name}"] in rows
    assert ["top_k", "5", "flag --top-k"] in rows
    assert ["budget", "4096", "built in"] in rows
    assert shown(invoke, "-m", name)["temp"] == (None, f"files of {name}")


def test_a_damaged_file_of_the_model_is_no_error(invoke: Invoke, folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"temperature": "hot"}')
    result = invoke("config", "show", "-m", str(folder))
    assert result.exit_code == 0
    assert result.stderr == "[generation_config.json: temperature is 'hot']\n"


def test_a_wrong_value_is_an_error(invoke: Invoke, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QWEN3_MLX_BUDGET", "many")
    result = invoke("config", "show")
    assert (result.stdout, result.exit_code) == ("", 2)
    assert result.stderr.startswith("Error: QWEN3_MLX_BUDGET: 'many' is no thinking budget")


def test_values_are_shown_without_what_a_terminal_obeys(
    invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN3_MLX_SYSTEM", "Be\x1b]0;title\x07 \u202ebrief")
    lines = invoke("config", "show").stdout.splitlines()
    assert next(line.split(maxsplit=1) for line in lines if line.startswith("system")) == [
        "system",
        "Be brief",
    ]
