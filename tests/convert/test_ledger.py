"""The ledger of a conversion as it may be found: one that is not as it ought to be is none."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from qwen3_mlx.convert.ledger import LEDGER, Ledger

SHARD = "model.safetensors"
CHECK = {"name": "a", "exact": True, "error": 0.01, "worst": 1, "group": [0, 0]}


def written(folder: Path, **changes: object) -> Path:
    """A folder with a finished shard, and a ledger that says so."""
    (folder / SHARD).write_bytes(b"numbers")
    digest = hashlib.sha256(b"numbers").hexdigest()
    state: dict[str, object] = {
        "job": "a job",
        "source": {"x": "y"},
        "shards": {SHARD: {"sha256": digest, "checks": {"a": CHECK}}},
    }
    (folder / LEDGER).write_text(json.dumps(state | changes), "utf-8")
    return folder


def test_a_finished_shard_is_found(tmp_path: Path) -> None:
    ledger = Ledger.open(written(tmp_path), "a job")
    assert ledger.checks == {"a": CHECK}
    assert (tmp_path / SHARD).is_file()


@pytest.mark.parametrize(
    "changes",
    [
        {"job": ["a job"]},
        {"source": [["x", "y"]]},
        {"shards": []},
        {"shards": {SHARD: 0}},
        {"shards": {SHARD: {"checks": {}}}},
        {"shards": {SHARD: {"sha256": 0, "checks": {}}}},
        {"shards": {SHARD: {"sha256": "", "checks": []}}},
        {"shards": {SHARD: {"sha256": "", "checks": {"a": None}}}},
        {"shards": {SHARD: {"sha256": "", "checks": {"a": CHECK | {"worst": "1"}}}}},
        {"shards": {"../out" * 100: {"sha256": "", "checks": {}}}},
        {"shards": {"a\0b": {"sha256": "", "checks": {}}}},
    ],
)
def test_anything_else_is_begun_anew(tmp_path: Path, changes: dict[str, object]) -> None:
    ledger = Ledger.open(written(tmp_path, **changes), "a job")
    assert (ledger.job, ledger.shards) == ("a job", {})
    assert not (tmp_path / SHARD).exists()
