"""Machines to look at: each a set of probes that answer as that machine would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from qwen3_mlx.health import Mlx, Probes
from qwen3_mlx.health.facts import TRANSLATED, WIRED_LIMIT
from qwen3_mlx.health.probes import Graphics

GIB = 2**30
CHIP = "machdep.cpu.brand_string"
FOLDER = Path("/Users/ann/.cache/huggingface/hub")


def forbidden() -> str | None:
    """For a hub that must not be asked."""
    raise AssertionError("the hub was asked")


def mac(chip: str, cores: int, gigabytes: int, **changes: object) -> Probes:
    """A Mac in good health, with changes to its probes."""
    usable = gigabytes * GIB * (2 if gigabytes <= 36 else 3) // (3 if gigabytes <= 36 else 4)
    said = {CHIP: chip, TRANSLATED: "0", WIRED_LIMIT: "0"}
    probes = Probes(
        system=lambda: "Darwin",
        release=lambda: "15.5",
        architecture=lambda: "arm64",
        python=lambda: "3.13.1",
        sysctl=said.get,
        graphics=lambda: Graphics(cores, "3"),
        memory=lambda: gigabytes * GIB,
        mlx=lambda: Mlx("gpu", True, chip, "applegpu_g15s", usable),
        installed=lambda _package: "0.32.4",
        hub_folder=lambda: FOLDER,
        free_disk=lambda _folder: 210 * 10**9,
        hub_address=lambda: "https://huggingface.co",
        hub_is_forbidden=lambda: False,
        reach_hub=lambda: None,
        which=lambda name: "/usr/bin/clang++" if name == "clang++" else None,
    )
    return replace(probes, **changes)  # type: ignore[arg-type]


def m3_max(**changes: object) -> Probes:
    """An M3 Max with 40 GPU cores and 64 GB."""
    return mac("Apple M3 Max", 40, 64, **changes)


def ultra() -> Probes:
    """An M3 Ultra with 512 GB."""
    return mac("Apple M3 Ultra", 80, 512)


def small() -> Probes:
    """A Mac with 8 GB and little room on its disk."""
    return mac("Apple M1", 8, 8, free_disk=lambda _folder: 2_100_000_000)


def rosetta() -> Probes:
    """An M3 Max whose Python is Intel's: there is no MLX for it."""
    said = {CHIP: "Apple M3 Max", TRANSLATED: "1", WIRED_LIMIT: "0"}
    return m3_max(
        architecture=lambda: "x86_64",
        sysctl=said.get,
        mlx=lambda: "No module named 'mlx'",
        installed=lambda _package: None,
    )


def linux(**changes: object) -> Probes:
    """A PC with MLX's CPU backend and no compiler."""
    probes = m3_max(
        system=lambda: "Linux",
        release=lambda: "6.8.0",
        architecture=lambda: "x86_64",
        sysctl=lambda _name: None,
        graphics=lambda: forbidden(),
        mlx=lambda: Mlx("cpu", False, "AMD EPYC", "x86_64", 42 * GIB),
        which=lambda _name: None,
    )
    return replace(probes, **changes)  # type: ignore[arg-type]
