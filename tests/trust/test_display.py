"""No escape byte reaches a screen; the attack would notice one."""

from __future__ import annotations

import random

import pytest

from qwen3_mlx.cli import editor, heatmap, markdown
from qwen3_mlx.cli.terminal import Terminal
from tests.trust.commands_shown import COMMANDS, try_editor
from tests.trust.display import PATHS, answer, attack, page, try_path
from tests.trust.screens import Kind, forbidden, hostile, on

CHANCE = random.Random(0)


def test_nothing_falls() -> None:
    tally = attack(40, seed=1)
    assert not tally.fallen, tally.table()
    assert tally.counts.total() == 40 * (1 + len(PATHS)) + 2 * len(COMMANDS) + 1


def unfiltered(text: str) -> str:
    return text


def test_markdown_that_makes_an_escape_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(markdown, "clean", unfiltered)
    for text in ("<http://x/%1b%5d0;evil%1b%5c>", "<http://x/%c2%9b2c>", "a&#x202e;b"):
        assert try_path(answer, Kind.SCREEN, text, CHANCE)


def test_a_page_that_is_not_filtered_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heatmap, "clean", unfiltered)
    assert try_path(page, Kind.SCREEN, "\x1b]0;evil\x07", CHANCE)


def test_names_that_the_editor_lists_unfiltered_are_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(editor, "clean_line", unfiltered)
    assert try_editor("\x9b2c")


@pytest.mark.parametrize("kind", Kind)
def test_a_write_past_the_filter_is_noticed(kind: Kind) -> None:
    def past(terminal: Terminal, text: str, chance: random.Random) -> None:
        terminal.console.file.write(text)

    assert try_path(past, kind, "a\x9b2c", CHANCE)
    assert not try_path(past, kind, "harmless", CHANCE)


@pytest.mark.parametrize("code", [*range(9), *range(11, 32), *range(127, 160), 0x202E, 0x2066])
def test_every_control_is_forbidden(code: int) -> None:
    assert all(forbidden(f"a{chr(code)}b", kind) for kind in Kind)


def test_what_the_program_writes_itself_is_allowed() -> None:
    with on(Kind.SCREEN) as (terminal, stream):
        terminal.say("bold", "bold red")
        terminal.aside("dim")
    assert "\x1b[" in stream.getvalue()
    assert not forbidden(stream.getvalue(), Kind.SCREEN)


def test_hostile_texts_never_spell_what_is_allowed() -> None:
    texts = [hostile(random.Random(number)) for number in range(2000)]
    harmful = [text for text in texts if forbidden(text, Kind.PIPE)]
    assert len(harmful) > 1000
    assert all(forbidden(text, Kind.SCREEN) for text in harmful)
