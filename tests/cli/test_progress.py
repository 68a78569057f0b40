"""Progress where lines cannot be rewritten: a line for every tenth, with the time left."""

from __future__ import annotations

import io

import pytest

from qwen3_mlx.cli.progress import TimeLeft, showing_progress, showing_steps
from qwen3_mlx.cli.terminal import Terminal


def test_a_line_for_every_tenth_and_what_is_left() -> None:
    """25 steps of 4 s: after 5 of them 20 are left, 80 s."""
    screen, now = io.StringIO(), [0.0]
    terminal = Terminal(io.StringIO(), io.StringIO(), screen)
    with showing_steps(terminal, lambda: now[0]) as update:
        for done in range(26):
            now[0] = 4.0 * done
            update("asking", done, 25)
    lines = screen.getvalue().splitlines()
    assert lines[0] == "[asking 10 %, 88 s left]"
    assert lines[1] == "[asking 20 %, 80 s left]"
    assert lines[-1] == "[asking 100 %]"
    assert len(lines) == 10


def test_bytes_have_no_time_left() -> None:
    screen = io.StringIO()
    with showing_progress(Terminal(io.StringIO(), io.StringIO(), screen)) as update:
        update("converting", 5, 10)
    assert screen.getvalue() == "[converting 50 %]\n"


def test_what_is_under_way_is_named_without_what_a_terminal_obeys() -> None:
    screen = io.StringIO()
    with showing_progress(Terminal(io.StringIO(), io.StringIO(), screen)) as update:
        update("fetching a\n\x1b]0;title\x07\u202eb", 5, 10)
    assert screen.getvalue() == "[fetching a b 50 %]\n"


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (0.3, ", 1 s left"),
        (90, ", 90 s left"),
        (120, ", 2 min left"),
        (5400, ", 90 min left"),
        (7200, ", 2 h left"),
    ],
)
def test_time_is_told_in_the_unit_that_people_would_use(taken: float, said: str) -> None:
    """Half is done, so what is left takes as long as what was."""
    now = [0.0]
    left = TimeLeft(lambda: now[0])
    now[0] = taken
    assert left(5, 10) == said


@pytest.mark.parametrize(("done", "total"), [(0, 10), (10, 10), (0, 0)])
def test_nothing_is_said_at_the_start_and_at_the_end(done: int, total: int) -> None:
    assert TimeLeft(lambda: 5.0)(done, total) == ""
