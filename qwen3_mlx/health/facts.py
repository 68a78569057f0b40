"""The facts about a machine that matter for running a model.

Knows which facts these are, and puts them together from probes. Judges nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from qwen3_mlx.environment import CHIP
from qwen3_mlx.health.probes import Graphics, Mlx, Probes

MACOS = "Darwin"
TRANSLATED = "sysctl.proc_translated"
WIRED_LIMIT = "iogpu.wired_limit_mb"
COMPILERS = ("g++", "clang++")
OFFLINE, FORBIDDEN = "--offline forbids to ask", "HF_HUB_OFFLINE forbids to ask"


@dataclass(frozen=True, slots=True)
class Hub:
    """Whether models can be fetched.

    Attributes:
        address: Of the Hugging Face Hub.
        reachable: Whether it answers; None if it was not asked.
        reason: Why it does not, or was not asked.
    """

    address: str
    reachable: bool | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """What is known of a machine; None for what cannot be known there.

    Attributes:
        system: `Darwin`, `Linux`.
        release: The version of macOS, elsewhere of the kernel.
        architecture: What this Python is built for.
        python: Its version.
        chip: Of the machine.
        gpu_cores: Of an Apple chip.
        memory: Bytes that the machine has.
        rosetta: Whether this Python is translated from another architecture; on macOS only.
        wired_limit_mb: What `iogpu.wired_limit_mb` says, 0 for macOS's own choice.
        mlx: Version of MLX.
        mlx_problem: Why MLX cannot be imported.
        device: What MLX computes on, `gpu` or `cpu`.
        metal: Whether that is Metal.
        metal_version: As macOS says.
        gpu_architecture: As MLX says.
        usable: Bytes that a model may take.
        models_folder: Where fetched models are.
        disk_free: Bytes free there.
        hub: Whether it can be reached.
        compiler: A C++ compiler.
    """

    system: str
    release: str
    architecture: str
    python: str
    chip: str | None
    memory: int
    models_folder: Path
    hub: Hub
    gpu_cores: int | None = None
    rosetta: bool | None = None
    wired_limit_mb: int | None = None
    mlx: str | None = None
    mlx_problem: str | None = None
    device: str | None = None
    metal: bool = False
    metal_version: str | None = None
    gpu_architecture: str | None = None
    usable: int | None = None
    disk_free: int | None = None
    compiler: str | None = None

    @property
    def on_mac(self) -> bool:
        """Whether this is macOS."""
        return self.system == MACOS


@dataclass(frozen=True, slots=True)
class _Apple:
    """What only macOS says."""

    chip: str | None = None
    rosetta: bool | None = None
    wired_limit_mb: int | None = None
    graphics: Graphics = field(default_factory=Graphics)


def examine(probes: Probes, *, offline: bool = False) -> Health:
    """Ask everything.

    Args:
        probes: Whom.
        offline: Whether the hub is left alone.
    """
    apple = _apple(probes) if probes.system() == MACOS else _Apple()
    mlx = probes.mlx()
    device = mlx if isinstance(mlx, Mlx) else None
    folder = probes.hub_folder()
    return Health(
        system=probes.system(),
        release=probes.release(),
        architecture=probes.architecture(),
        python=probes.python(),
        chip=apple.chip or (device.name if device else None),
        gpu_cores=apple.graphics.cores,
        memory=probes.memory(),
        rosetta=apple.rosetta,
        wired_limit_mb=apple.wired_limit_mb,
        mlx=probes.installed("mlx"),
        mlx_problem=mlx if isinstance(mlx, str) else None,
        device=device.device if device else None,
        metal=device is not None and device.metal,
        metal_version=apple.graphics.metal,
        gpu_architecture=device.architecture if device else None,
        usable=device.usable if device else None,
        models_folder=folder,
        disk_free=probes.free_disk(folder),
        hub=_hub(probes, offline=offline),
        compiler=next(filter(None, map(probes.which, COMPILERS)), None),
    )


def _apple(probes: Probes) -> _Apple:
    limit = probes.sysctl(WIRED_LIMIT)
    return _Apple(
        probes.sysctl(CHIP),
        probes.sysctl(TRANSLATED) == "1",
        int(limit) if limit and limit.isdecimal() else None,
        probes.graphics(),
    )


def _hub(probes: Probes, *, offline: bool) -> Hub:
    address = probes.hub_address()
    if offline:
        return Hub(address, None, OFFLINE)
    if probes.hub_is_forbidden():
        return Hub(address, None, FORBIDDEN)
    reason = probes.reach_hub()
    return Hub(address, reason is None, reason)
