"""The page on converting: its commands, run as they stand, print what it shows."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.published_headers import write_30b_in_fp8

if TYPE_CHECKING:
    from tests.fake_hub import FakeHub

ROOT = Path(__file__).parents[1]
ORIGINALS = ROOT / "training" / "originals"
PAGE = (ROOT / "docs" / "convert.md").read_text("utf-8")
CONSOLE = "".join(re.findall(r"^```console\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))
COMMANDS = re.split(r"^\$ (.*)\n", CONSOLE, flags=re.MULTILINE)
(RECIPE,) = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
# How many steps are seen depends on the machine; that it ends does not.
KL = re.compile(r"(?<=^KL )[\d.e-]+", re.MULTILINE)  # its last digit is the processor's
STAGES = "fetching|converting|comparing|running"
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


def run(command: str, folder: Path, hub: FakeHub) -> str:
    """Everything a command prints, in that folder."""
    program, *arguments = shlex.split(command)
    assert program == "qwen3-mlx"
    done = subprocess.run(
        [sys.executable, "-m", "qwen3_mlx", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
        check=True,
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(folder.parent / "cache"),
        },
    )
    return UNDER_WAY.sub("", done.stdout).replace(f"{folder}/", "")


def steady(text: str) -> str:
    return KL.sub("N", text)


def test_the_page_s_commands_print_what_it_shows(desk: Path, hub: FakeHub) -> None:
    shown = dict(zip(COMMANDS[1::2], map(steady, COMMANDS[2::2]), strict=True))
    assert {command: steady(run(command, desk, hub)) for command in shown} == shown
