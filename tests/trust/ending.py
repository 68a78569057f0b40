"""Stands in for an attack whose process ends: a module of its own, so that children find it."""

from __future__ import annotations

import os

from tests.trust.parsers import Numbers
from tests.trust.tally import Tally


def ends_at_five(name: str, numbers: range, seed: int, at: Numbers | None) -> Tally:
    """As `parsers.against`, but the trial of number 5 ends the process."""
    tally = Tally()
    for number in numbers:
        if at is not None:
            at.value = number
        if number == 5:
            os._exit(11)
        tally.held(f"{name}: read")
    return tally
