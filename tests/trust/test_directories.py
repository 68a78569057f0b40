"""A few of the single faults of model folders, and whether a silent answer would be noticed."""

from __future__ import annotations

import pytest

from tests.trust import directories
from tests.trust.asking import Kind, Said, asker
from tests.trust.faults import FAULTS, PLAUSIBLE
from tests.trust.folders import copy
from tests.trust.tally import Tally

SOUND = "47+86=133"


def test_there_are_enough_of_them() -> None:
    assert len(FAULTS) > 400
    assert len(PLAUSIBLE) > 20


def test_faults_are_refused_or_change_nothing() -> None:
    tally = directories.attack(12, seed=1)
    assert tally.fallen == {}, tally.table()
    assert tally.counts["refused"] > 12


@pytest.mark.parametrize(
    ("kind", "text", "silent", "outcome"),
    [
        ("answered", SOUND, False, None),
        ("answered", "47+86=1", True, None),
        ("refused", "config.json: rope_theta is missing", False, None),
        ("refused", "config.json is not the file that conversion.json records", False, None),
        ("answered", "47+86=1", False, "silent wrong answer"),
        ("refused", "something is wrong", False, "refused without the cause"),
        ("traceback", "KeyError: 'rope_theta'", True, "traceback"),
        ("hang", "", True, "hang"),
    ],
)
def test_what_must_not_be_is_noticed(
    kind: Kind, text: str, silent: bool, outcome: str | None
) -> None:
    tally, message = Tally(), r"config\.json: rope_theta"
    directories.judge(tally, "x", Said(kind, text), message, SOUND, silent=silent)
    assert dict(tally.fallen) == ({} if outcome is None else {outcome: 1})


def test_a_process_that_dies_or_hangs_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder whose name breaks the line is no folder, and a pipe never answers."""
    with asker() as asking, copy() as folder:
        asking.patience = 0.0
        (said,) = asking.ask(folder)
        assert said.kind == "hang"
        asking.patience = 60.0
        assert [said.kind for said in asking.ask(folder)] == ["answered", "answered"]
