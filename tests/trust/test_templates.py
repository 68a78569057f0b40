"""A few templates without end, and whether one that is not stopped would be noticed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.trust import templates
from tests.trust.tally import Tally
from tests.trust.weighing import Weight

ENDLESS = "the chat template in /x/chat_template.jinja does not end within 1.5 s"
TOO_LARGE = ENDLESS.replace("does not end within 1.5 s", "takes too much memory or text")
STOPPED = Weight("ModelFileError", ENDLESS, False, 3.0, 1.6, 10**6, 10**8)


def test_templates_are_stopped() -> None:
    tally = templates.attack(2, seed=4)
    assert tally.fallen.keys() <= {templates.LATE}, tally.table()


@pytest.mark.parametrize(
    ("weight", "outcome"),
    [
        (STOPPED, None),
        (replace(STOPPED, message=TOO_LARGE), None),
        (replace(STOPPED, error="", message=""), "not stopped, or without its file"),
        (replace(STOPPED, message="it does not end"), "not stopped, or without its file"),
        (replace(STOPPED, worker_nbytes=260_000_000), "stopped with too much memory"),
        (replace(STOPPED, nbytes=260_000_000), "stopped with too much memory"),
        (replace(STOPPED, cpu_seconds=2.1), templates.LATE),
    ],
)
def test_what_must_not_be_is_noticed(weight: Weight, outcome: str | None) -> None:
    tally = Tally()
    templates.judge(tally, "x", weight)
    assert dict(tally.fallen) == ({} if outcome is None else {outcome: 1})


def test_a_harmless_template_is_not_stopped() -> None:
    tally = Tally()
    templates.judge(tally, "x", templates.weigh_template(templates.FILLER))
    assert tally.fallen == {"not stopped, or without its file": 1}
