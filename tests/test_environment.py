"""Variables that MLX reads when it starts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from qwen3_mlx.environment import ULTRA_BUFFERS, prepare_metal, sysctl


@pytest.mark.parametrize(
    ("chip", "wanted"),
    [("Apple M3 Ultra", ULTRA_BUFFERS), ("Apple M3 Max", {}), ("AMD EPYC", {}), (None, {})],
)
def test_an_ultra_gets_larger_buffers(chip: str | None, wanted: dict[str, str]) -> None:
    variables: dict[str, str] = {}
    prepare_metal(variables, lambda _name: chip)
    assert variables == wanted


def test_what_is_set_stays() -> None:
    variables = {"MLX_MAX_OPS_PER_BUFFER": "7"}
    prepare_metal(variables, lambda _name: "Apple M1 Ultra")
    assert variables == {**ULTRA_BUFFERS, "MLX_MAX_OPS_PER_BUFFER": "7"}


def test_nothing_is_asked_where_all_is_set() -> None:
    def ask(_name: str) -> str:
        raise AssertionError

    prepare_metal(dict.fromkeys(ULTRA_BUFFERS, "7"), ask)


@pytest.mark.parametrize("name", ["Linux", "Darwin"])
def test_sysctl_says_nothing_where_there_is_none(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def missing(*_args: object, **_how: object) -> None:
        raise FileNotFoundError

    system = os.uname_result((name, "", "", "", ""))
    monkeypatch.setattr(os, "uname", lambda: system)
    monkeypatch.setattr(subprocess, "run", missing)
    assert sysctl("hw.memsize") is None


@pytest.mark.parametrize(
    ("code", "text", "said"),
    [(0, "Apple M3 Max\n", "Apple M3 Max"), (0, "\n", None), (1, "", None)],
)
def test_sysctl_on_a_mac(
    monkeypatch: pytest.MonkeyPatch, code: int, text: str, said: str | None
) -> None:
    done = subprocess.CompletedProcess([], code, text, "")
    system = os.uname_result(("Darwin", "", "", "", ""))
    monkeypatch.setattr(os, "uname", lambda: system)
    monkeypatch.setattr(subprocess, "run", lambda *_args, **_how: done)
    assert sysctl("machdep.cpu.brand_string") == said


def test_it_imports_no_mlx() -> None:
    code = "import sys, qwen3_mlx.environment; raise SystemExit('mlx' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
