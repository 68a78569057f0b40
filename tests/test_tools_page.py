"""The page on tools: its code prints what its comments say, and what it says is so."""

from __future__ import annotations

import re

from qwen3_mlx.tools.chain import MAX_STEPS
from qwen3_mlx.tools.run import MOST_CHARACTERS
from qwen3_mlx.tools.tool import SECONDS
from tests.pages import ROOT, blocks, run

PAGE = (ROOT / "docs" / "tools.md").read_text("utf-8")
CODE = "\n".join(blocks(PAGE, "python"))


def test_the_code_prints_what_its_comments_say() -> None:
    expected = re.findall(r"^print\(.*?\) +# (.*)$", CODE, re.MULTILINE)
    assert run(["-c", CODE]).splitlines() == expected


def test_the_limits_are_those_of_the_program() -> None:
    assert f"after {SECONDS:g} seconds" in PAGE
    assert f"more than {MOST_CHARACTERS:,} characters".replace(",", " ") in PAGE
    assert f"more than {MAX_STEPS} calls one after the other (`max_steps`)" in PAGE
