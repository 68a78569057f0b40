"""docs/structure.md lists every module under its folder, in the words of its docstring."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOPS = ("cli", "convert", "qwen3_mlx", "training", "benchmarks")


def modules(folder: Path) -> list[Path]:
    """Every module below a folder; not through the links `qwen3_mlx/{cli,convert}`."""
    found = list(folder.glob("*.py"))
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            found += modules(entry)
    return found


MODULES = sorted(path.relative_to(ROOT).as_posix() for top in TOPS for path in modules(ROOT / top))


def docstring(module: str) -> str:
    return ast.get_docstring(ast.parse((ROOT / module).read_text("utf-8"))) or ""


def summary(module: str) -> str:
    """The first paragraph of a module's docstring, on one line."""
    return " ".join(docstring(module).partition("\n\n")[0].split())


def listed() -> list[str]:
    """The entries of the page, each under its folder: `folder/module.py: summary`."""
    entries, folder = [], ""
    for line in (ROOT / "docs" / "structure.md").read_text("utf-8").splitlines():
        if line.startswith("### "):
            folder = line.removeprefix("### ")
        elif line.startswith("- `") and folder:
            name, _, said = line.removeprefix("- `").partition("`: ")
            entries.append(f"{folder}{name}: {said}")
    return entries


def test_every_module_is_listed_once_in_its_own_words() -> None:
    assert sorted(listed()) == sorted(f"{module}: {summary(module)}" for module in MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_a_module_begins_with_a_sentence_about_itself(module: str) -> None:
    assert summary(module).endswith(".")
