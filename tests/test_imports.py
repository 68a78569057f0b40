"""Imports go downward only, from the doors of the house to its ground."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "qwen3_mlx"
# From the top of the house to its ground, as CONTRIBUTING.md has it.
ROOMS = (
    *("cli", "convert", "measure", "evaluation", "loading", "fitting", "runtime", "chat"),
    *("tools", "generation"),
    *("text", "health", "memory"),
    *("checkpoint", "model", "bundled", "events", "strict_json", "places", "errors"),
    "environment",
)
# Neither knows of the other: strings here, arrays there.
STRANGERS = {("text", "memory"), ("text", "checkpoint"), ("text", "model")}


def modules(room: str) -> list[Path]:
    folder = PACKAGE / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def rooms_imported_by(path: Path) -> set[str]:
    """The rooms that a module names anywhere in its import statements."""
    names = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return {name.split(".")[1] for name in names if name.startswith("qwen3_mlx.")}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_what_lies_below_it(room: str) -> None:
    above = {*ROOMS[: ROOMS.index(room)], *(other for one, other in STRANGERS if one == room)}
    wrong = {path.name: rooms_imported_by(path) & above for path in modules(room)}
    assert {name: rooms for name, rooms in wrong.items() if rooms} == {}


def test_every_room_is_listed() -> None:
    found = {path.stem for path in PACKAGE.iterdir() if not path.stem.startswith("__")}
    assert found - {"py"} == set(ROOMS)
