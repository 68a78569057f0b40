"""A calibration comes back as it was written, and nothing else passes for one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qwen3_mlx.bundled import NAMES, bundled_path
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.checkpoint.prompt_identity import weights_identity
from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.calibration import CAUTIOUS, Calibration
from qwen3_mlx.generation.calibration_file import (
    own_path,
    read_calibration,
    read_of,
    shipped_path,
    to_json,
)

SOME = Calibration("tiny", "abc", 0.9, 0.95, 1, 2, 0.5, 8, 256, "So: ", {"1": 8.0, "words": -1.5})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "calibration.json"


@pytest.mark.parametrize("calibration", [SOME, CAUTIOUS])
def test_it_comes_back(path: Path, calibration: Calibration) -> None:
    path.write_text(to_json(calibration))
    assert read_calibration(path) == calibration


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"skip": "much"}, "skip"),
        ({"skip": -0.1}, "skip"),
        ({"certain": 1.5}, "certain"),
        ({"certain": True}, "certain"),
        ({"agree": 0}, "agree"),
        ({"every": 2.5}, "every"),
        ({"cap": 1 << 40}, "cap"),
        ({"brake": "soft"}, "brake"),
        ({"weights": [1]}, "weights"),
        ({"weights": {"1": None}}, "weights"),
        ({"weights": {"1": 10**400}}, "weights"),
        ({"brake": -(10**400)}, "brake"),
        ({"lead": 5}, "lead"),
        ({"more": 1}, "more"),
    ],
)
def test_a_value_that_makes_no_sense_is_named(
    path: Path, change: dict[str, object], wrong: str
) -> None:
    path.write_text(json.dumps({**json.loads(to_json(SOME)), **change}))
    with pytest.raises(UsageError, match=rf"calibration\.json: {wrong} is missing or makes no"):
        read_calibration(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "5", "{}", '{"format": "other"}', "[" * 100_000, "\udcff", "NaN"]
)
def test_something_else_is_refused(path: Path, text: str) -> None:
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UsageError, match="is no calibration"):
        read_calibration(path)


def test_a_missing_field_is_named(path: Path) -> None:
    value = json.loads(to_json(SOME))
    del value["skip"]
    path.write_text(json.dumps(value))
    with pytest.raises(UsageError, match="skip is missing"):
        read_calibration(path)


def test_no_file(path: Path) -> None:
    with pytest.raises(UsageError, match="there is no file"):
        read_calibration(path)


def test_of_another_model(path: Path) -> None:
    path.write_text(to_json(SOME))
    assert read_of(path, "abc") == SOME
    with pytest.raises(UsageError, match=r"is the calibration of another model \(tiny\)"):
        read_of(path, "abd")
    path.write_text(to_json(CAUTIOUS))
    assert read_of(path, "any model") == CAUTIOUS


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_ones_belong_to_the_shipped_models(name: str) -> None:
    folder = bundled_path(name)
    calibration = read_of(shipped_path(name), weights_identity(folder, open_checkpoint(folder)))
    assert calibration.name == name
    assert calibration.model != ""


def test_own_ones_are_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert own_path("abc") == tmp_path / "qwen3-mlx" / "calibrations" / "abc.json"
