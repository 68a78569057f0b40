"""Sources from strangers, through `convert`: each bad one is refused, and leaves nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from qwen3_mlx.convert import convert
from qwen3_mlx.errors import ModelFileError, NonFiniteError
from tests.damage import FAULTS, NORM, VALUES, name_code, spoil

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint
    from tests.fake_hub import FakeHub

REPO = "somebody/Qwen3-mini"
# What a repository lacks is missed before a file of it is opened.
ABSENT = {
    "an index that points outside": r"has no file \.\./outside\.safetensors",
    "a shard that is not there": r"has no file one\.safetensors",
    "no weights": r"has no file model\.safetensors",
}


@pytest.fixture
def source(dense: Checkpoint, tmp_path: Path) -> Path:
    return dense.save(tmp_path / "source")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Where destinations go, and what belongs to them while they are made; not there yet."""
    return tmp_path / "results"


def refused(source: Path | str, results: Path, message: str, *, delete_source: bool) -> None:
    """The right kind of error says where, and nothing is left."""
    with pytest.raises(ModelFileError, match=message) as error:
        convert(source, results / "out", delete_source=delete_source)
    assert error.value.exit_code == 5
    assert not results.exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_folder(source: Path, results: Path, fault: str) -> None:
    damage, message = FAULTS[fault]
    damage(source)
    before = {path: path.read_bytes() for path in source.iterdir()}
    refused(source, results, message, delete_source=False)
    assert {path: path.read_bytes() for path in source.iterdir()} == before


@pytest.mark.parametrize("fault", FAULTS)
def test_a_bad_repository(source: Path, results: Path, hub: FakeHub, fault: str) -> None:
    """One that is fetched a file at a time, and of which nothing is kept."""
    damage, message = FAULTS[fault]
    damage(source)
    hub.add(REPO, {path.name: path.read_bytes() for path in source.iterdir()})
    refused(REPO, results, ABSENT.get(fault, message), delete_source=True)


@pytest.mark.parametrize("recipe", ["4bit", "bf16"])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [NORM, VALUES])
def test_weights_that_are_not_finite(
    source: Path, results: Path, recipe: str, bad: float, name: str
) -> None:
    spoil(source, name, bad)
    with pytest.raises(NonFiniteError, match=name) as error:
        convert(source, results / "out", recipe)
    assert error.value.exit_code == 5
    assert not results.exists()


def test_code_that_a_source_names_is_not_run_and_does_not_come_along(
    source: Path, results: Path
) -> None:
    trace = name_code(source)
    folder = convert(source, results / "out")
    assert not trace.exists()
    assert [path.name for path in folder.rglob("*") if path.suffix == ".py"] == []
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert not config.keys() & {"auto_map", "model_file"}
