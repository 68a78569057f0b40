"""`qwen3-mlx doctor`: what this machine is, what is wrong with it, and which models it runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

from qwen3_mlx.cli.filter import clean_line, escaped_json
from qwen3_mlx.cli.tables import aligned, columns
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.health import Finding, Health, Probes, examine, findings

if TYPE_CHECKING:
    from qwen3_mlx.memory.outlook import Prospect

HEAD = ("MODEL", "FORMAT", "  WEIGHTS", "CONTEXT", "SPEED")
ESTIMATES = "contexts and speeds are estimates: nothing was run"
UNKNOWN = "unknown"
NOT_MACOS = "only macOS has one"
GIB = 2**30


def run(terminal: Terminal, *, offline: bool, as_json: bool, probes: Probes | None = None) -> None:
    """Prints what was found, or one JSON object.

    Args:
        terminal: Where to.
        offline: Whether the hub is left alone.
        as_json: Whether to print JSON.
        probes: Whom to ask; None: this machine.
    """
    with terminal.busy("looking at this machine"):
        health = examine(probes or Probes(), offline=offline)
        models = list(_models(health))
    wrong = findings(health)
    if as_json:
        terminal.data(_object(health, wrong, models, terminal))
        return
    for line in aligned([*_facts(health), ("terminal", _terminal(terminal))]):
        terminal.data(line)
    if models:
        terminal.data("")
        for line in columns(HEAD, [_cells(model) for model in models], terminal.columns):
            terminal.data(line)
    for finding in wrong:
        terminal.data(f"\n{clean_line(finding.problem)}\n{clean_line(finding.cure)}")
    if models:
        terminal.aside(ESTIMATES)


def _models(health: Health) -> Iterator[Prospect]:
    """What can be run here; nothing where there is no MLX to run it."""
    if health.usable is None:
        return
    from qwen3_mlx.memory.chips import find_chip
    from qwen3_mlx.memory.outlook import prospects

    chip = find_chip(health.chip or "", health.gpu_cores)
    item_bytes = 2 if health.device == "gpu" else 4
    yield from prospects(
        health.usable, chip if health.metal else None, item_bytes=item_bytes, metal=health.metal
    )


def _facts(health: Health) -> Iterator[tuple[str, str]]:
    yield "chip", _chip(health)
    yield "system", f"{_system(health)}, Python {health.python} for {health.architecture}"
    yield "Rosetta", _rosetta(health)
    yield "memory", _memory(health)
    yield "wired limit", _wired_limit(health)
    yield "MLX", _mlx(health)
    yield "disk", _disk(health)
    yield "hub", _hub(health)
    yield "compiler", health.compiler or "none"


def _chip(health: Health) -> str:
    cores = f", {health.gpu_cores} GPU cores" if health.gpu_cores else ""
    return f"{clean_line(health.chip or UNKNOWN)}{cores}"


def _system(health: Health) -> str:
    return f"{'macOS' if health.on_mac else health.system} {health.release}"


def _rosetta(health: Health) -> str:
    if health.rosetta is None:
        return NOT_MACOS
    return "yes" if health.rosetta else "no"


def _memory(health: Health) -> str:
    size = f"{health.memory / GIB:.0f} GiB"
    return size if health.usable is None else f"{size}, {_gigabytes(health.usable)} for a model"


def _wired_limit(health: Health) -> str:
    if not health.on_mac:
        return NOT_MACOS
    if health.wired_limit_mb is None:
        return UNKNOWN
    return f"{health.wired_limit_mb} MB" if health.wired_limit_mb else "macOS's own"


def _mlx(health: Health) -> str:
    if health.device is None:
        return f"{health.mlx or 'not installed'}, which cannot be used"
    device = "the CPU" if health.device == "cpu" else f"the GPU ({health.gpu_architecture})"
    metal = f"Metal {health.metal_version or ''}".rstrip() if health.metal else "no Metal"
    return f"{health.mlx or UNKNOWN} on {device}, {metal}"


def _disk(health: Health) -> str:
    free = UNKNOWN if health.disk_free is None else f"{_gigabytes(health.disk_free)} free"
    return f"{free} in {clean_line(str(health.models_folder))}"


def _hub(health: Health) -> str:
    hub = health.hub
    address = clean_line(hub.address)
    if hub.reachable is None:
        return f"{address}, not asked: {hub.reason}"
    return f"{address}, {'answers' if hub.reachable else 'does not answer'}"


def _terminal(terminal: Terminal) -> str:
    if terminal.columns is None:
        return "none"
    return f"{terminal.columns} columns, {'colours' if terminal.live else 'plain'}"


def _cells(model: Prospect) -> tuple[str, ...]:
    size = f"{_gigabytes(model.weights):>9}"
    if not model.fits:
        return model.name, model.format, size, "too large", _with_experts(model)
    speed = model.tokens_per_second
    about = "" if speed is None else f"about {speed:.0f} tok/s"
    return model.name, model.format, size, f"{model.context}", about


def _with_experts(model: Prospect) -> str:
    from qwen3_mlx.memory.fits import shown_memory

    if model.expert_memory is None:
        return ""
    return f"runs from disk: --expert-memory {shown_memory(model.expert_memory)}"


def _gigabytes(count: int) -> str:
    return f"{count / 10**9:.1f} GB"


def _object(
    health: Health, wrong: list[Finding], models: list[Prospect], terminal: Terminal
) -> str:
    found = {
        **asdict(health),
        "models_folder": str(health.models_folder),
        "terminal": {"columns": terminal.columns, "colours": terminal.live},
        "findings": [asdict(finding) for finding in wrong],
        "models": [{**asdict(model), "fits": model.fits} for model in models],
        "note": ESTIMATES,
    }
    return escaped_json(json.dumps(found, ensure_ascii=False, indent=2))
