"""The page about thinking shows what the program prints."""

from __future__ import annotations

import re

import pytest

from tests.pages import ROOT, arguments_of, blocks, commands, run, steady

PAGE = (ROOT / "docs" / "thinking.md").read_text("utf-8")
CODE = "\n".join(blocks(PAGE, "python"))


@pytest.mark.parametrize(("command", "shown"), commands(PAGE))
def test_a_command_prints_what_the_page_shows(command: str, shown: str) -> None:
    assert steady(run(arguments_of(command))) == steady(shown)


def test_the_code_prints_what_its_comments_say() -> None:
    expected = re.findall(r"^print\(.*?\) +# (.*)$", CODE, re.MULTILINE)
    assert run(["-c", CODE]).splitlines()[: len(expected)] == expected
