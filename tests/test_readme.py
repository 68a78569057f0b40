"""The README's commands and code, run as they stand: what it shows is what happens.

Seconds and rates differ from machine to machine and count as equal; nothing else does.
"""

from __future__ import annotations

import re

import pytest

from tests.pages import ROOT, arguments_of, blocks, commands, run, steady

README = (ROOT / "README.md").read_text()
CONSOLE = commands(README)
PYTHON = blocks(README, "python")


def test_the_readme_shows_something_to_run() -> None:
    assert CONSOLE
    assert PYTHON


@pytest.mark.parametrize(("command", "shown"), CONSOLE)
def test_a_command_prints_what_the_readme_shows(command: str, shown: str) -> None:
    assert steady(run(arguments_of(command))) == steady(shown)


@pytest.mark.parametrize("code", PYTHON)
def test_the_code_prints_what_its_comments_say(code: str) -> None:
    expected = re.findall(r"print\(.*?\) +# (.*)", code)
    assert run(["-c", code]).splitlines() == expected
