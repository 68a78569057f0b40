"""`doctor`: what is shown of machines that this one is not."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from qwen3_mlx.cli import doctor
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.health import Probes
from tests.cli.conftest import Invoke
from tests.health import machines


def shown(probes: Probes, *, as_json: bool = False, offline: bool = False) -> str:
    """What is printed, to a pipe."""
    output = io.StringIO()
    terminal = Terminal(io.StringIO(), output, io.StringIO())
    doctor.run(terminal, offline=offline, as_json=as_json, probes=probes)
    return output.getvalue()


def rows(text: str) -> dict[tuple[str, str], str]:
    """The rest of each line of the table of models, by name and format."""
    lines = [line.split(maxsplit=2) for line in text.partition("MODEL")[2].splitlines()[1:]]
    return {(line[0], line[1]): line[2] for line in lines if len(line) == 3}


def test_an_m3_max() -> None:
    assert shown(machines.m3_max()).partition("\n\n")[0] == (
        "chip         Apple M3 Max, 40 GPU cores\n"
        "system       macOS 15.5, Python 3.13.1 for arm64\n"
        "Rosetta      no\n"
        "memory       64 GiB, 51.5 GB for a model\n"
        "wired limit  macOS's own\n"
        "MLX          0.32.4 on the GPU (applegpu_g15s), Metal 3\n"
        "disk         210.0 GB free in /Users/ann/.cache/huggingface/hub\n"
        "hub          https://huggingface.co, answers\n"
        "compiler     /usr/bin/clang++\n"
        "terminal     none"
    )


def test_the_models_of_an_m3_max() -> None:
    table = rows(shown(machines.m3_max()))
    assert len(table) == 32
    assert table["8b", "4bit"].startswith("4.6 GB  131072")
    assert table["8b", "4bit"].endswith("tok/s")
    assert table["32b", "bf16"] == "65.5 GB  too large"
    assert "too large  runs from disk: --expert-memory" in table["30b-a3b", "bf16"]


def test_an_ultra_runs_nearly_everything() -> None:
    table = rows(shown(machines.ultra()))
    large = {name for name, text in table.items() if "too large" in text}
    assert large == {("235b-a22b", "bf16")}


def test_a_mac_with_8_gb_is_told_what_it_lacks() -> None:
    text = shown(machines.small())
    assert "8 GiB, 5.7 GB for a model" in text
    assert "too large" in rows(text)["14b", "4bit"]
    assert "\nThe disk has 2.1 GB free" in text
    assert "HF_HOME" in text


def test_rosetta_is_a_finding_and_no_traceback() -> None:
    text = shown(machines.rosetta())
    assert "Rosetta      yes\n" in text
    assert "MLX          not installed, which cannot be used\n" in text
    assert "runs under Rosetta" in text
    assert "MODEL" not in text


def test_elsewhere_what_cannot_be_known_is_said() -> None:
    text = shown(machines.linux())
    assert "Rosetta      only macOS has one\n" in text
    assert "wired limit  only macOS has one\n" in text
    assert "MLX          0.32.4 on the CPU, no Metal\n" in text
    assert "tok/s" not in text
    assert "no C++ compiler" in text


def test_json_holds_the_same() -> None:
    found = json.loads(shown(machines.small(), as_json=True))
    assert (found["chip"], found["memory"], found["rosetta"]) == ("Apple M1", 8 * 2**30, False)
    assert found["hub"] == {
        "address": "https://huggingface.co",
        "reachable": True,
        "reason": None,
    }
    assert [finding["problem"][:8] for finding in found["findings"]] == ["The disk"]
    models = {(one["name"], one["format"]): one for one in found["models"]}
    assert models["4b", "4bit"]["fits"] is True
    assert models["4b", "4bit"]["tokens_per_second"] > 0
    assert models["32b", "4bit"]["fits"] is False
    assert "estimates" in found["note"]


def test_offline_the_hub_is_not_asked() -> None:
    text = shown(machines.m3_max(reach_hub=machines.forbidden), offline=True)
    assert "https://huggingface.co, not asked: --offline forbids to ask\n" in text


def test_what_a_system_says_of_itself_is_filtered() -> None:
    text = shown(
        machines.m3_max(sysctl=lambda _name: "Apple \x1b[2JM3", reach_hub=lambda: "\x1b]0;no\x07")
    )
    assert "\x1b" not in text


@pytest.mark.parametrize("how", [[], ["--json"]])
def test_the_command(invoke: Invoke, how: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "Probes", machines.linux)
    result = invoke("doctor", "--offline", *how)
    assert result.exit_code == 0
    assert ("AMD EPYC" in result.stdout, "--offline forbids" in result.stdout) == (True, True)


def test_offline_may_be_a_setting(
    invoke: Invoke, config_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QWEN3_MLX_OFFLINE", "1")
    monkeypatch.setattr(doctor, "Probes", lambda: machines.linux(reach_hub=machines.forbidden))
    assert invoke("doctor").exit_code == 0
