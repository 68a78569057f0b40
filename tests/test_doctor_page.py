"""The page on `doctor`: it shows what the program prints of the machines that the tests play."""

from __future__ import annotations

from tests.cli.test_doctor import shown
from tests.health import machines
from tests.pages import ROOT, commands

PAGE = (ROOT / "docs" / "doctor.md").read_text("utf-8")


def test_the_page_shows_what_is_printed() -> None:
    played = [shown(probes) for probes in (machines.m3_max(), machines.rosetta())]
    assert [printed for _, printed in commands(PAGE)] == played
