"""What is said of the published models on machines of several sizes."""

from __future__ import annotations

from qwen3_mlx.memory.chips import find_chip
from qwen3_mlx.memory.family import FORMATS, SHAPES
from qwen3_mlx.memory.outlook import Prospect, prospects

GIB = 2**30


def on(gigabytes: float, chip: str = "Apple M3 Max") -> dict[tuple[str, str], Prospect]:
    found = prospects(round(gigabytes * GIB), find_chip(chip, 40))
    return {(one.name, one.format): one for one in found}


def test_every_size_in_every_format() -> None:
    assert set(on(48)) == {(name, form) for name in SHAPES for form in FORMATS}


def test_an_m3_max_with_64_gb() -> None:
    found = on(48)
    assert found["8b", "4bit"].context == 131072
    assert found["0.6b", "4bit"].context == 40960  # which is not stretched
    large = found["32b", "bf16"]
    assert (large.fits, large.tokens_per_second, large.expert_memory) == (False, None, None)
    assert found["30b-a3b", "bf16"].expert_memory is not None
    assert found["8b", "4bit"].expert_memory is None


def test_a_mac_with_8_gb() -> None:
    """It leaves 5.3 GB: 8B takes 4.6, and its cache 0.6 GB for 4096 tokens."""
    found = on(16 / 3, "Apple M1")
    assert found["4b", "4bit"].fits
    assert 1024 <= found["8b", "4bit"].context < 8192
    assert not found["14b", "4bit"].fits


def test_faster_memory_is_faster() -> None:
    speeds = [
        on(48, chip)["32b", "4bit"].tokens_per_second for chip in ("Apple M1", "Apple M4 Pro")
    ]
    assert speeds[0] is not None
    assert speeds[1] is not None
    assert speeds[0] < speeds[1]


def test_the_speed_on_an_unknown_chip_is_not_known() -> None:
    assert all(one.tokens_per_second is None for one in on(48, "AMD EPYC").values())
