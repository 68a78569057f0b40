"""What is found wrong, and the cure that is named."""

from __future__ import annotations

from dataclasses import replace

import pytest

from qwen3_mlx.health import Mlx, Probes, examine, findings
from tests.health import machines


def found(probes: Probes) -> list[str]:
    return [f"{finding.problem} {finding.cure}" for finding in findings(examine(probes))]


@pytest.mark.parametrize("probes", [machines.m3_max(), machines.ultra()])
def test_nothing_is_wrong_with_a_good_mac(probes: Probes) -> None:
    assert found(probes) == []


def test_rosetta_is_said_once_with_its_cure() -> None:
    (said,) = found(machines.rosetta())
    assert "runs under Rosetta" in said
    assert "Install an arm64 Python" in said


def test_an_intel_mac() -> None:
    said = found(machines.m3_max(architecture=lambda: "x86_64"))
    assert said[0].startswith("This Mac has no Apple silicon")


@pytest.mark.parametrize(("release", "wrong"), [("13.7", True), ("14.0", False), ("", False)])
def test_macos_may_be_too_old(release: str, wrong: bool) -> None:
    assert (
        any("macOS 14 or later" in one for one in found(machines.m3_max(release=lambda: release)))
        == wrong
    )


def test_mlx_that_cannot_be_imported() -> None:
    (said,) = found(machines.m3_max(mlx=lambda: "libmlx.dylib is missing"))
    assert said.startswith("MLX cannot be imported: libmlx.dylib is missing")


def test_a_mac_without_metal() -> None:
    probes = machines.m3_max(
        mlx=lambda: Mlx("cpu", False, "Apple M3 Max (Virtual)", "arm64", 2**33),
        which=lambda _name: "/usr/bin/g++",
    )
    (said,) = found(probes)
    assert said.startswith("MLX finds no Metal")


@pytest.mark.parametrize(("limit", "wrong"), [(57344, False), (61440, False), (61441, True)])
def test_a_wired_limit_must_leave_4_gb(limit: int, wrong: bool) -> None:
    """Of 65536 MB."""
    health = replace(examine(machines.m3_max()), wired_limit_mb=limit)
    cures = [finding.cure for finding in findings(health)]
    assert cures == (["Give it back to macOS: sudo sysctl iogpu.wired_limit_mb=0"] if wrong else [])


def test_a_full_disk() -> None:
    (said,) = found(machines.small())
    assert said.startswith("The disk has 2.1 GB free")
    assert str(machines.FOLDER) in said


def test_a_hub_that_does_not_answer() -> None:
    (said,) = found(machines.m3_max(reach_hub=lambda: "timed out"))
    assert said.startswith("The hub at https://huggingface.co does not answer: timed out")


def test_a_compiler_is_missed_on_a_cpu_alone() -> None:
    (said,) = found(machines.linux())
    assert said.startswith("There is no C++ compiler")
    assert found(machines.m3_max(which=lambda _name: None)) == []
