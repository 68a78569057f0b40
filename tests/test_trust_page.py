"""The page on trust: every attack stands in it, has a short test, and a record of a long run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pages import ROOT
from tests.trust.__main__ import FIGURES, ROWS, main

PAGE = (ROOT / "docs" / "trust.md").read_text("utf-8")
TRUST = ROOT / "tests" / "trust"


def attacks() -> set[str]:
    """The modules that can be run as an attack."""
    return {path.stem for path in TRUST.glob("[!_]*.py") if _runs(path)}


def _runs(path: Path) -> bool:
    return (
        not path.stem.startswith("test_")
        and re.search(r"^    main\(attack, ", path.read_text("utf-8"), re.MULTILINE) is not None
    )


def test_every_attack_is_run_and_stands_in_the_page() -> None:
    assert attacks() == set(ROWS)
    in_table = re.findall(r"`python -m tests\.trust\.(\w+)` \|$", PAGE, re.MULTILINE)
    assert in_table == list(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_each_has_a_short_test_and_a_record_of_a_full_run(row: str) -> None:
    assert (TRUST / f"test_{row}.py").is_file()
    assert re.search(r"\nfell: \d+\n$", (FIGURES / f"{row}.txt").read_text("utf-8"))


def test_an_unknown_attack_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kils"]) == 2
    assert capsys.readouterr().err.startswith("no such attack: kils; there are: directories, ")
