"""The page on converting: its commands, run as they stand, print what it shows."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pages import ROOT, arguments_of, blocks, commands, run
from tests.published_headers import write_30b_in_fp8

if TYPE_CHECKING:
    from tests.fake_hub import FakeHub

ORIGINALS = ROOT / "training" / "originals"
PAGE = (ROOT / "docs" / "convert.md").read_text("utf-8")
COMMANDS = commands(PAGE)
(RECIPE,) = blocks(PAGE, "toml")
# How many steps are seen depends on the machine; that it ends does not.
KL = re.compile(r"(?<=^KL )[\d.e-]+", re.MULTILINE)  # its last digit is the processor's
STAGES = "fetching|converting|comparing|running|reading"
UNDER_WAY = re.compile(rf"^\[(?:{STAGES}) .*\b[1-9]0 %\]\n", re.MULTILINE)


@pytest.fixture
def desk(hub: FakeHub, tmp_path: Path) -> Path:
    """A folder with what the page's commands are about."""
    for model in ORIGINALS.iterdir():
        hub.add(f"example/{model.name}", {p.name: p.read_bytes() for p in model.iterdir()})
    folder = tmp_path / "desk"
    folder.mkdir()
    shutil.copytree(ORIGINALS / "tiny", folder / "my-fine-tune")
    write_30b_in_fp8(folder / "Qwen3-30B-A3B-FP8")
    (folder / "mine.toml").write_text(RECIPE, "utf-8")
    return folder


def run_here(command: str, folder: Path, hub: FakeHub) -> str:
    """Everything a command prints, in that folder."""
    env = {"HF_ENDPOINT": hub.url, "HF_HOME": str(folder.parent / "cache")}
    printed = run(arguments_of(command), folder=folder, env={**os.environ, **env})
    return UNDER_WAY.sub("", printed).replace(f"{folder}/", "")


def steady(text: str) -> str:
    return KL.sub("N", text)


def test_the_page_s_commands_print_what_it_shows(desk: Path, hub: FakeHub) -> None:
    shown = {command: steady(text) for command, text in COMMANDS}
    assert {command: steady(run_here(command, desk, hub)) for command in shown} == shown
