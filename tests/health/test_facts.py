"""What is asked of a machine, and what becomes of the answers."""

from __future__ import annotations

from qwen3_mlx.health import examine
from tests.health import machines


def test_an_m3_max() -> None:
    health = examine(machines.m3_max())
    assert (health.chip, health.gpu_cores, health.metal_version) == ("Apple M3 Max", 40, "3")
    assert (health.memory, health.usable) == (64 * 2**30, 48 * 2**30)
    assert (health.rosetta, health.wired_limit_mb, health.metal) == (False, 0, True)
    assert (health.hub.reachable, health.compiler) == (True, "/usr/bin/clang++")


def test_rosetta() -> None:
    health = examine(machines.rosetta())
    assert (health.rosetta, health.architecture) == (True, "x86_64")
    assert (health.mlx, health.mlx_problem) == (None, "No module named 'mlx'")
    assert (health.usable, health.device) == (None, None)


def test_what_only_macos_knows_is_not_asked_elsewhere() -> None:
    health = examine(machines.linux())
    assert (health.rosetta, health.wired_limit_mb, health.gpu_cores) == (None, None, None)
    assert (health.chip, health.device) == ("AMD EPYC", "cpu")


def test_the_hub_is_left_alone_offline() -> None:
    hub = examine(machines.m3_max(reach_hub=machines.forbidden), offline=True).hub
    assert (hub.reachable, hub.reason) == (None, "--offline forbids to ask")


def test_the_hub_is_left_alone_where_a_variable_says_so() -> None:
    probes = machines.m3_max(reach_hub=machines.forbidden, hub_is_forbidden=lambda: True)
    hub = examine(probes).hub
    assert (hub.reachable, hub.reason) == (None, "HF_HUB_OFFLINE forbids to ask")


def test_a_wired_limit_that_is_no_number() -> None:
    assert examine(machines.m3_max(sysctl=lambda _name: "lots")).wired_limit_mb is None
