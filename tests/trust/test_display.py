"""No escape byte reaches a screen; the attack would notice one."""

from __future__ import annotations

import random
import re

import pytest

from qwen3_mlx.cli import app, chat, editor, heatmap, markdown
from qwen3_mlx.cli.filter import DisplayFilter
from qwen3_mlx.cli.terminal import Terminal
from tests.pages import ROOT
from tests.trust.commands_shown import COMMANDS, try_command, try_editor
from tests.trust.display import CUT, PATHS, answer, attack, page, try_cuts, try_path
from tests.trust.screens import Kind, forbidden, hostile, on

CHANCE = random.Random(0)

ENCODED = {"clipboard", "script", "waiting_question"}
"""The paths that write the text as base64 or as JSON, which have no such characters."""


def test_nothing_falls() -> None:
    tally = attack(40, seed=1)
    assert not tally.fallen, tally.table()
    assert tally.counts.total() == 40 * (1 + len(CUT) + len(PATHS)) + 2 * (len(COMMANDS) + 1)


WRITERS = {
    *("app", "calls", "chat", "heatmap", "live", "markdown", "progress", "region", "terminal"),
    *("view", "status", "streams"),
}
"""The modules that have to do with a screen itself. Each is attacked, but for `streams`, which
passes on what the others write; all others hand what they show to one of these."""


def test_no_other_module_knows_how_to_write_to_a_screen() -> None:
    direct = re.compile(r"\w\.(console|page)\b|sys\.std(out|err)|\becho\(|from rich|import rich")
    found = {path.stem for path in (ROOT / "cli").glob("*.py") if direct.search(path.read_text())}
    assert found == WRITERS


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


def test_a_name_under_the_line_that_is_not_filtered_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(chat, "clean_line", unfiltered)
    assert try_editor("model\u202e")


def test_a_command_line_that_is_not_filtered_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app, "clean", unfiltered)
    assert try_command(COMMANDS["mistyped"], Kind.SCREEN, "a\u202eb")


@pytest.mark.parametrize("name", CUT)
@pytest.mark.parametrize("kind", Kind)
def test_a_filter_that_drops_nothing_is_noticed(
    name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DisplayFilter, "feed", lambda _filter, chunk: chunk)
    assert try_cuts(name, kind, "a\x9b2cb")


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name", sorted(PATHS.keys() - ENCODED))
def test_every_path_shows_the_text(name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DisplayFilter, "feed", lambda _filter, chunk: chunk)
    assert try_path(PATHS[name], kind, "a\u202eb", CHANCE)


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_the_text(
    name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DisplayFilter, "feed", lambda _filter, chunk: chunk)
    assert try_command(COMMANDS[name], kind, "a\u202eb")


@pytest.mark.parametrize(
    ("name", "kind"),
    [("answer, cut everywhere", Kind.PIPE), ("thoughts, cut everywhere", Kind.SCREEN)],
)
def test_a_filter_that_forgets_what_came_before_is_noticed(
    name: str, kind: Kind, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = DisplayFilter.feed

    def forgetful(_filter: DisplayFilter, chunk: str) -> str:
        return chunk if len(chunk) == 1 else feed(DisplayFilter(), chunk)

    monkeypatch.setattr(DisplayFilter, "feed", forgetful)
    assert try_cuts(name, kind, "a\x1b[2c")


def test_what_is_raised_is_noticed() -> None:
    def broken(terminal: Terminal, text: str, chance: random.Random) -> None:
        text.encode()

    found = try_path(broken, Kind.PIPE, "\ud800", CHANCE)
    assert found.startswith("a traceback, UnicodeEncodeError")


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
