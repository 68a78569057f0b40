"""The page on pruning: its program and its commands, run as they stand, print what it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.pages import ROOT, arguments_of, blocks, commands, run

PAGE = (ROOT / "docs" / "prune.md").read_text("utf-8")
COMMANDS = commands(PAGE)
(PROGRAM,) = blocks(PAGE, "python")
PROMPTS = """\
What is 47 + 86 + 12?
What is 512 - 347?
Tom has 12 apples and buys 7 more. How many apples does Tom have now?
What is 47 times 6?
Which is the largest of 4, 9 and 6?
What is 123 + 456 + 789?
"""
# How many steps are seen depends on the machine; that it ends does not.
UNDER_WAY = re.compile(r"^\[(?:calibrating|pruning) .*\b[1-9]0 %\]\n", re.MULTILINE)
# Close calls of a router are decided by the processor's last digits.
CELLS = re.compile(r"^    \d  .*$", re.MULTILINE)
NUMBERS = re.compile(r"\d+(?:\.\d+)?")


def steady(text: str) -> str:
    """The text without what a router decides."""
    return re.sub(" +", " ", NUMBERS.sub("N", CELLS.sub("cells", text)))


def test_the_page_s_commands_print_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "prompts.txt").write_text(PROMPTS, "utf-8")
    assert run(["-c", PROGRAM], folder=tmp_path) == ""
    talks = (tmp_path / "talks.jsonl").read_text("utf-8").splitlines()
    assert len(talks) == len(PROMPTS.splitlines())
    assert json.loads(talks[0])["messages"][1]["content"] == "The answer is 145."
    for command, shown in COMMANDS:
        printed = run(arguments_of(command), folder=tmp_path).replace(f"{tmp_path}/", "")
        assert steady(UNDER_WAY.sub("", printed)) == steady(shown)
