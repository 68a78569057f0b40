"""The probes of a real machine: what they make of odd answers, and that none of them raises."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from qwen3_mlx.health import Mlx, Probes, examine, probes
from qwen3_mlx.health.probes import Graphics, ask_mlx, free_disk, reach_hub, read_graphics
from tests.fake_hub import FakeHub


def test_this_machine() -> None:
    health = examine(Probes(), offline=True)
    assert health.usable is not None
    assert 0 < health.usable <= health.memory
    assert health.mlx is not None


@pytest.mark.parametrize(
    ("gpu", "read"),
    [
        ({"sppci_cores": "40", "spdisplays_mtlgpufamilysupport": "spdisplays_metal3"}, (40, "3")),
        ({"sppci_cores": "10"}, (10, None)),
        ({"sppci_cores": "10", "spdisplays_mtlgpufamilysupport": "something"}, (10, None)),
        ({"sppci_cores": "many"}, (None, None)),
        ({}, (None, None)),
    ],
)
def test_what_system_profiler_prints(
    gpu: dict[str, str], read: tuple[int | None, str | None]
) -> None:
    assert read_graphics(json.dumps({"SPDisplaysDataType": [{}, gpu]})) == Graphics(*read)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"SPDisplaysDataType": [1]}', "null"])
def test_what_system_profiler_does_not_print(text: str) -> None:
    assert read_graphics(text) == Graphics()


def test_without_system_profiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def late(*_args: object, **_how: object) -> None:
        raise subprocess.TimeoutExpired("system_profiler", 10)

    monkeypatch.setattr(subprocess, "run", late)
    assert probes.ask_graphics() == Graphics()


def test_without_mlx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlx.core", None)
    reason = ask_mlx()
    assert not isinstance(reason, Mlx)
    assert "mlx.core" in reason


def test_the_disk_of_a_folder_that_is_not_there_yet(tmp_path: Path) -> None:
    free = free_disk(tmp_path / "not" / "yet")
    assert free is not None
    assert free > 0


def test_a_hub_that_answers(hub: FakeHub) -> None:
    assert reach_hub() is None


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "no address", "http://[", "gopher://a"])
def test_a_hub_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", address)
    assert reach_hub()


def test_it_works_without_mlx() -> None:
    """As under Rosetta, where there is none to import."""
    code = (
        "import sys; sys.modules['mlx'] = sys.modules['mlx.core'] = None\n"
        "from qwen3_mlx.health import Probes, examine\n"
        "raise SystemExit(examine(Probes(), offline=True).mlx_problem is None)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
