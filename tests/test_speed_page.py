"""The page on speed: its code runs, and its options are those of the program."""

from __future__ import annotations

import re

from qwen3_mlx.cli.options import KINDS
from tests.pages import ROOT, blocks, run

PAGE = (ROOT / "docs" / "speed.md").read_text("utf-8")


def test_its_code_runs() -> None:
    (code,) = blocks(PAGE, "python")
    assert re.fullmatch(r"\d+ of \d+\n", run(["-c", code]))


def test_its_options_are_there() -> None:
    options = {name.replace("-", "_") for name in re.findall(r"`--([a-z-]+)", PAGE)}
    assert options == {"draft", "kv_bits", "max_kv"}
    assert options <= set(KINDS)
