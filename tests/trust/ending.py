"""Stands in for an attack whose process ends: a module of its own, so that children find it."""

from __future__ import annotations

import os
import signal

from tests.trust.apart import Begin
from tests.trust.tally import Tally


def ends_at_five(name: str, numbers: range, seed: int, begin: Begin) -> Tally:
    """Trial 3 falls, 5 ends the process, 8 never comes back."""
    tally = Tally()
    for number in numbers:
        begin(number)
        if number == 5:
            os._exit(11)
        if number == 8:
            signal.raise_signal(signal.SIGALRM)  # as the alarm of `begin` does, but at once
        if number == 3:
            tally.fell(f"{name}: KeyError", f"trial {number} of seed {seed}")
        else:
            tally.held(f"{name}: read")
    return tally


def fails(_name: str, _numbers: range, _seed: int, _begin: Begin) -> Tally:
    """An attack with a fault of its own."""
    raise KeyError
