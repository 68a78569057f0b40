"""A few refusals on the scales, and whether one that reads or takes too much would be noticed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.trust import refusal_cost
from tests.trust.faults.edits import TOKENIZER, text
from tests.trust.faults.heavy import HEAVY
from tests.trust.folders import copy
from tests.trust.tally import Tally
from tests.trust.weighing import Weight, weigh

REFUSED = Weight("ModelFileError", "x", False, 0.01, 0.01, 10**6, 0)


def test_refusals_are_cheap_and_come_before_tensors() -> None:
    """By memory and by what is read; what the time is, depends on the machine."""
    tally = refusal_cost.attack(3, seed=1)
    assert tally.fallen.keys() <= {refusal_cost.LATE}, tally.table()
    assert tally.counts["refused"] + tally.fallen[refusal_cost.LATE] == 3
    assert len(HEAVY) >= 3


def test_a_sound_folder_reads_its_tensors() -> None:
    with copy() as folder:
        weight = weigh(folder)
    assert (weight.error, weight.read) == ("", True)


def test_memory_is_seen() -> None:
    """So many words of 40 letters take 89 bytes each, and no file may be much larger."""
    with copy(manifest=False) as folder:
        words = [f"{number:040}" for number in range(350_000)]
        text(TOKENIZER, json.dumps({"x": words}))(folder)
        assert weigh(folder).nbytes > 30_000_000


@pytest.mark.parametrize(
    ("weight", "outcome"),
    [
        (REFUSED, None),
        (replace(REFUSED, error="", read=True), None),
        (replace(REFUSED, error="NonFiniteError", read=True), None),
        (replace(REFUSED, read=True), "refused when tensors were read"),
        (replace(REFUSED, nbytes=201_000_000), "refused with too much memory"),
        (replace(REFUSED, cpu_seconds=1.1), refusal_cost.LATE),
        (replace(REFUSED, cpu_seconds=1.1, message="does not end within 1.5 s"), None),
    ],
)
def test_what_must_not_be_is_noticed(weight: Weight, outcome: str | None) -> None:
    tally = Tally()
    refusal_cost.judge(tally, "x", weight)
    assert dict(tally.fallen) == ({} if outcome is None else {outcome: 1})
