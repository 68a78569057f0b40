"""What is wrong with a machine, and the cure.

Knows what a model needs. Asks nothing: it judges the facts.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from qwen3_mlx.health.facts import Health

ARM = "arm64"
OLDEST_MACOS = 14
SMALLEST_DISK = 5 * 10**9
# A wired limit that leaves less to the system than this has been set too high.
SYSTEM_MEMORY = 4 * 2**30
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong.

    Attributes:
        problem: What, in a sentence.
        cure: What to do about it, in sentences.
    """

    problem: str
    cure: str


def findings(health: Health) -> list[Finding]:
    """All that is wrong with a machine, the gravest first."""
    judges = (_architecture, _macos, _mlx, _wired_limit, _disk, _hub, _compiler)
    return [finding for judge in judges for finding in judge(health)]


def _architecture(health: Health) -> Iterator[Finding]:
    if health.rosetta:
        yield Finding(
            "This Python is built for Intel and runs under Rosetta, where there is no MLX.",
            "Install an arm64 Python (from python.org, with Homebrew in /opt/homebrew, or with"
            " uv), and this program with it.",
        )
    elif health.on_mac and health.architecture != ARM:
        yield Finding(
            "This Mac has no Apple silicon, which MLX needs.",
            "Use a Mac with an M1 or later, or Linux.",
        )


def _macos(health: Health) -> Iterator[Finding]:
    major = health.release.partition(".")[0]
    if health.on_mac and major.isdecimal() and int(major) < OLDEST_MACOS:
        yield Finding(
            f"MLX needs macOS {OLDEST_MACOS} or later, and this is {health.release}.",
            "Update macOS.",
        )


def _mlx(health: Health) -> Iterator[Finding]:
    if health.mlx_problem is not None and not health.rosetta:
        yield Finding(
            f"MLX cannot be imported: {health.mlx_problem}",
            "Install this program again with the Python that it runs with.",
        )
    elif health.on_mac and health.mlx_problem is None and not health.metal:
        yield Finding(
            "MLX finds no Metal and computes on the CPU, many times slower.",
            "Run it outside a virtual machine or container.",
        )


def _wired_limit(health: Health) -> Iterator[Finding]:
    limit = (health.wired_limit_mb or 0) * MIB
    if limit > health.memory - SYSTEM_MEMORY:
        yield Finding(
            f"iogpu.wired_limit_mb is {health.wired_limit_mb}, which leaves too little memory for"
            " macOS: a model that fills it can stop the machine.",
            "Give it back to macOS: sudo sysctl iogpu.wired_limit_mb=0",
        )


def _disk(health: Health) -> Iterator[Finding]:
    if health.disk_free is not None and health.disk_free < SMALLEST_DISK:
        yield Finding(
            f"The disk has {health.disk_free / 10**9:.1f} GB free, too little for most models.",
            f"Make room, or let HF_HOME name a folder on another disk; now it is"
            f" {health.models_folder}.",
        )


def _hub(health: Health) -> Iterator[Finding]:
    if health.hub.reachable is False:
        yield Finding(
            f"The hub at {health.hub.address} does not answer: {health.hub.reason}",
            "Check the connection and HF_ENDPOINT. Models that are here run without it.",
        )


def _compiler(health: Health) -> Iterator[Finding]:
    if health.device == "cpu" and health.compiler is None:
        install = "xcode-select --install" if health.on_mac else "sudo apt install g++"
        yield Finding(
            "There is no C++ compiler, and MLX needs one to compile the decode step for the CPU.",
            f"Install one (for example: {install}), or go on without: it is only slower.",
        )
