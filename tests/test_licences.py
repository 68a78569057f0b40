"""docs/licences.md lists what is installed beside this package, under the licences it states."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
FAMILIES = ("Apache", "MIT", "BSD", "0BSD", "ISC", "MPL", "PSF", "Zlib", "CC0", "CNRI")
"""Licences that ask for no more than to be named, or concern a file alone (MPL)."""


def listed(heading: str) -> dict[str, str]:
    """The rows under a heading: licences by package."""
    text = (ROOT / "docs" / "licences.md").read_text("utf-8")
    section = text.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z0-9-]+)(?: \(\w+\))? \| (.+) \|$", section, re.MULTILINE)
    return {name: licence for name, licence in rows if name != "package"}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def named_here() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return {plain(Requirement(line).name) for line in project["dependencies"]}


def needed_by(name: str) -> Iterator[str]:
    """What a package needs here, if it is installed, without what its extras need."""
    try:
        lines = distribution(name).requires or []
    except PackageNotFoundError:
        return
    for requirement in map(Requirement, lines):
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield plain(requirement.name)


def installed() -> dict[str, str]:
    """Everything that is needed and installed, and the licence that it states."""
    found: dict[str, str] = {}
    waiting = sorted(named_here())
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = stated(name)
            waiting += needed_by(name)
    return {name: licence for name, licence in found.items() if licence}


def stated(name: str) -> str:
    """The licence in a package's metadata; nothing if it is not installed."""
    try:
        about = distribution(name).metadata
    except PackageNotFoundError:
        return ""
    classifiers = [c for c in about.get_all("Classifier") or [] if c.startswith("License ::")]
    said = about.get_all("License-Expression") or about.get_all("License") or classifiers
    return " ".join(said)


def families(licence: str) -> set[str]:
    """`BSD-3-Clause`, `BSD License` and `3-Clause BSD License` are one."""
    return {family for family in FAMILIES if re.search(rf"\b{family}\b", licence)}


def test_the_packages_that_are_named_here_are_listed_with_their_licences() -> None:
    rows = listed("Named here")
    assert rows.keys() == named_here()
    assert {name: families(rows[name]) for name in rows} == {
        name: families(stated(name)) for name in rows
    }


def test_all_others_are_listed_or_ask_for_as_little() -> None:
    """A new one that a package needs since the list was made is no reason to fail."""
    rows = listed("Needed by those")
    for name, licence in installed().items():
        found = families(licence)
        assert found, f"{name}: {licence}"
        if name in rows:
            assert found == families(rows[name]), name


def test_most_of_the_list_is_installed() -> None:
    """Neither list is of another project."""
    rows = {**listed("Named here"), **listed("Needed by those")}
    assert len(installed().keys() & rows.keys()) > 0.8 * len(rows)
