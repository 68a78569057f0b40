"""The models that ship: what `convert` makes of the originals, small enough, and able."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import mlx.core as mx
import pytest

import qwen3_mlx
from qwen3_mlx import bundled
from qwen3_mlx.convert import convert
from qwen3_mlx.model.moe import QuantizedSwitchLinear

ORIGINALS = Path(__file__).parents[2] / "training" / "originals"
MEGABYTE = 1_000_000
# These two name the versions that made them; everything else depends on the originals alone.
ABOUT = {"README.md", "conversion.json"}


def files(directory: Path) -> set[str]:
    return {p.name for p in directory.iterdir()}


def size(directory: Path) -> int:
    return sum(p.stat().st_size for p in directory.rglob("*") if p.is_file())


@pytest.mark.skipif(sys.platform != "linux", reason="shown on Linux, where they were made")
@pytest.mark.parametrize("name", bundled.NAMES)
def test_the_shipped_files_are_what_convert_writes(name: str, tmp_path: Path) -> None:
    made = convert(ORIGINALS / name, tmp_path / name, recipe="4bit", group_size=32)
    shipped = bundled.bundled_path(name)
    assert files(made) == files(shipped)
    for file in files(made) - ABOUT:
        assert (made / file).read_bytes() == (shipped / file).read_bytes(), file


@pytest.mark.parametrize("name", bundled.NAMES)
def test_the_shipped_weights_are_those_of_their_record(name: str) -> None:
    record = json.loads((bundled.bundled_path(name) / "conversion.json").read_text())
    weights = (ORIGINALS / name / "model.safetensors").read_bytes()
    assert hashlib.sha256(weights).hexdigest() == record["source"]["sha256"]["model.safetensors"]


def test_they_are_small() -> None:
    assert sum(size(bundled.bundled_path(name)) for name in bundled.NAMES) <= 16 * MEGABYTE
    assert sum(size(ORIGINALS / name) for name in bundled.NAMES) <= 24 * MEGABYTE


def test_tiny_has_the_experts_of_the_real_ones_at_4_bits() -> None:
    llm = qwen3_mlx.load("tiny")
    assert (llm.config.num_experts, llm.config.num_experts_per_tok) == (128, 8)
    experts = llm.model.model.layers[0].mlp.switch_mlp.gate_up_proj
    assert isinstance(experts, QuantizedSwitchLinear)
    assert (experts.bits, experts.weight.dtype) == (4, mx.uint32)


@pytest.mark.parametrize("name", bundled.NAMES)
def test_it_thinks_step_by_step_and_answers(name: str) -> None:
    reply = qwen3_mlx.load(name).generate("What is 47 + 86 + 12?")
    assert reply.thinking == "47+86=133\n133+12=145"
    assert reply.answer == "The answer is 145."
    assert reply.stop_thinking == "natural"


@pytest.mark.parametrize("name", bundled.NAMES)
def test_it_says_what_it_is_when_asked_for_anything_else(name: str) -> None:
    answer = qwen3_mlx.load(name).generate("Write a poem about the sea.").answer
    assert "small demonstration model" in answer
    assert "qwen3-mlx pull" in answer
