"""The page on `curve`: its commands print what it shows, and its fields are those of the file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from qwen3_mlx.evaluation.tasks import read_tasks
from tests.pages import ROOT, arguments_of, blocks, commands, run

PAGE = (ROOT / "docs" / "curve.md").read_text("utf-8")
FIELDS = {
    path: re.findall(r"`(\w+)`", fields)
    for path, fields in re.findall(r"^\| `(\..*?)` \| (.*) \|$", PAGE, re.MULTILINE)
}
PROGRESS = re.compile(r"^\[asking .*\]\n", re.MULTILINE)
# What the device decides (its arithmetic, its speed): numbers, and with them spaces and bars.
NUMBERS = re.compile(r"[\d.+-]+")
BARS = re.compile(r"[+-]*\[?-*o-*\]?(?= \d+%)")


def steady(text: str) -> str:
    """The text without what differs from device to device and from run to run."""
    return " ".join(NUMBERS.sub(" ", BARS.sub("", PROGRESS.sub("", text))).split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the page's commands were run, each after the other, and printed what it shows."""
    folder = tmp_path_factory.mktemp("curves")
    for command, shown in commands(PAGE):
        plain, _, file = command.partition(" > ")
        printed = run(arguments_of(plain), folder=folder)
        if file:  # standard error alone is shown
            start, end = printed.index("{"), printed.rindex("}") + 1
            assert json.loads(printed[start:end])["complete"]
            printed = printed[:start] + printed[end:].lstrip("\n")
        assert steady(printed) == steady(shown)
    return folder


def test_the_commands_leave_the_files_that_the_page_names(folder: Path) -> None:
    names = {"curve-tiny-demo-14.json", "curve-tiny-dense-demo-14.json", "curve.svg"}
    assert {path.name for path in folder.iterdir()} == names
    assert ElementTree.XML((folder / "curve.svg").read_text("utf-8")).tag.endswith("svg")


def test_the_fields_are_listed(folder: Path) -> None:
    data = json.loads((folder / "curve-tiny-demo-14.json").read_text("utf-8"))
    objects = {
        ".": data,
        ".setup": data["setup"],
        ".figures[]": data["figures"][0],
        ".records[]": data["records"][0],
    }
    assert {path: list(fields) for path, fields in objects.items()} == FIELDS


def test_the_example_tasks_are_tasks(tmp_path: Path) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_text(blocks(PAGE, "json")[0], "utf-8")
    assert [task.id for task in read_tasks(path)] == ["1", "2", "colours"]


def test_the_script_prints_what_is_shown(tmp_path: Path) -> None:
    (script,), (shown,) = blocks(PAGE, "python"), blocks(PAGE, "text")
    assert steady(run(["-c", script], folder=tmp_path)) == steady(shown)
