"""Where facts about this machine come from, each behind a function that can be replaced.

Knows the programs and libraries that are asked. None of these functions raises: what cannot be
known is None, or a reason.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from urllib.parse import urlsplit

from qwen3_mlx.environment import sysctl

HUB_SECONDS = 3.0
PROFILER_SECONDS = 10.0
METAL = "spdisplays_metal"


@dataclass(frozen=True, slots=True)
class Mlx:
    """What MLX says of itself.

    Attributes:
        device: `gpu` or `cpu`.
        metal: Whether it computes on Metal.
        name: Of the device.
        architecture: Of the device.
        usable: Bytes that a model may take.
    """

    device: str
    metal: bool
    name: str
    architecture: str
    usable: int


@dataclass(frozen=True, slots=True)
class Graphics:
    """What macOS says of its GPU; None for what it does not say."""

    cores: int | None = None
    metal: str | None = None


def ask_mlx() -> Mlx | str:
    """What MLX says of itself, or why it cannot be imported."""
    try:
        import mlx.core as mx

        from qwen3_mlx.memory import machine_memory
    except ImportError as error:
        return str(error)
    info = mx.device_info()
    return Mlx(
        mx.default_device().type.name,
        mx.metal.is_available(),
        str(info.get("device_name", "unknown")),
        str(info.get("architecture", "unknown")),
        machine_memory(),
    )


def ask_graphics() -> Graphics:
    """GPU cores and Metal version, by macOS's `system_profiler`; nothing elsewhere."""
    try:
        done = subprocess.run(
            ["/usr/sbin/system_profiler", "-json", "SPDisplaysDataType"],
            capture_output=True,
            text=True,
            timeout=PROFILER_SECONDS,
        )
        return read_graphics(done.stdout)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return Graphics()


def read_graphics(text: str) -> Graphics:
    """What `system_profiler -json SPDisplaysDataType` printed."""
    try:
        gpus = json.loads(text)["SPDisplaysDataType"]
        gpu = next(gpu for gpu in gpus if "sppci_cores" in gpu)
        cores, family = int(gpu["sppci_cores"]), str(gpu.get("spdisplays_mtlgpufamilysupport", ""))
    except (ValueError, KeyError, TypeError, StopIteration):
        return Graphics()
    return Graphics(cores, family.removeprefix(METAL) if family.startswith(METAL) else None)


def installed(package: str) -> str | None:
    """The version of an installed package."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def release() -> str:
    """The system's own version: of macOS, else of the kernel."""
    return platform.mac_ver()[0] or platform.release()


def total_memory() -> int:
    """Bytes of memory that the machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def hub_folder() -> Path:
    """The folder in which fetched models are."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def free_disk(folder: Path) -> int | None:
    """Bytes that are free where a folder is, or would be."""
    place = next(path for path in (folder, *folder.parents) if path.exists() or path == path.parent)
    try:
        return shutil.disk_usage(place).free
    except OSError:
        return None


def hub_address() -> str:
    """The address of the hub."""
    from huggingface_hub import constants

    return constants.ENDPOINT


def hub_is_forbidden() -> bool:
    """Whether HF_HUB_OFFLINE forbids to ask the hub."""
    from huggingface_hub import constants

    return constants.HF_HUB_OFFLINE


def reach_hub() -> str | None:
    """Why the hub does not answer within seconds; None if it does, whatever it answers."""
    from huggingface_hub import errors, get_session

    # Of httpx or httpx2, whichever huggingface_hub is built on.
    http_error: type[Exception] = errors.HTTPError  # type: ignore[attr-defined]
    address = hub_address()
    try:
        if not urlsplit(address).hostname:
            return f"{address} is no address"
        get_session().head(address, timeout=HUB_SECONDS)
    except (OSError, ValueError, http_error) as error:
        return str(error).partition("\n")[0] or type(error).__name__
    return None


@dataclass(frozen=True, kw_only=True)
class Probes:
    """Everything that is asked."""

    system: Callable[[], str] = platform.system
    release: Callable[[], str] = release
    architecture: Callable[[], str] = platform.machine
    python: Callable[[], str] = platform.python_version
    sysctl: Callable[[str], str | None] = sysctl
    graphics: Callable[[], Graphics] = ask_graphics
    memory: Callable[[], int] = total_memory
    mlx: Callable[[], Mlx | str] = ask_mlx
    installed: Callable[[str], str | None] = installed
    hub_folder: Callable[[], Path] = hub_folder
    free_disk: Callable[[Path], int | None] = free_disk
    hub_address: Callable[[], str] = hub_address
    hub_is_forbidden: Callable[[], bool] = hub_is_forbidden
    reach_hub: Callable[[], str | None] = reach_hub
    which: Callable[[str], str | None] = shutil.which
