"""The status line at every width, and the live region with a clock of our own."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from qwen3_mlx.cli.live import FullThoughts, HiddenThoughts, LiveThoughts
from qwen3_mlx.cli.status import bar_colour, status_line
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.events import ThinkingDelta


class Tty(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


DETAILS = ("43 tok/s", "3.2 s", "K")


@pytest.mark.parametrize(
    ("used", "budget", "width", "line"),
    [
        (0, 512, 80, "thinking ────────────────────────────── 0/512 · 43 tok/s · 3.2 s · K"),
        (
            256,
            512,
            80,
            "thinking ━━━━━━━━━━━━━━━─────────────── 256/512 · 43 tok/s · 3.2 s · K",
        ),
        (
            514,
            512,
            80,
            "thinking ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 514/512 · 43 tok/s · 3.2 s · K",
        ),
        (3, 0, 56, "thinking ━━━━━━━━━━━━━━━━━━━━ 3/0 · 43 tok/s · 3.2 s · K"),
        (256, 512, 44, "thinking ━━━━──── 256/512 · 43 tok/s · 3.2 s"),
        (256, 512, 43, "thinking ━━━━━━━──────── 256/512 · 43 tok/s"),
        (256, 512, 30, "thinking ━━━━━━─────── 256/512"),
        (256, 512, 20, "thinking 256/512"),
        (256, 512, 10, "thinking …"),
        (256, None, 80, "thinking 256 tokens · 43 tok/s · 3.2 s · K"),
        (256, None, 40, "thinking 256 tokens · 43 tok/s · 3.2 s"),
        (256, None, 29, "thinking 256 tokens"),
    ],
)
def test_the_status_line(used: int, budget: int | None, width: int, line: str) -> None:
    assert status_line(used, budget, DETAILS, width).plain == line


@pytest.mark.parametrize(
    ("used", "budget", "colour"),
    [
        (0, 512, "cyan"),
        (74, 100, "cyan"),
        (75, 100, "yellow"),
        (89, 100, "yellow"),
        (90, 100, "red"),
        (101, 100, "red"),
        (0, 0, "red"),
    ],
)
def test_the_bar_changes_its_colour_towards_the_end(used: int, budget: int, colour: str) -> None:
    assert bar_colour(used, budget) == colour


@given(
    st.integers(0, 10**6),
    st.none() | st.integers(0, 10**6),
    st.lists(st.sampled_from(["– tok/s", "1234 tok/s", "12 min 05 s"])).map(tuple),
    st.integers(1, 200),
)
def test_the_status_line_never_wraps(
    used: int, budget: int | None, details: tuple[str, ...], width: int
) -> None:
    assert status_line(used, budget, details, width).cell_len <= width


def shown(thoughts: LiveThoughts, width: int = 80, height: int = 24) -> list[str]:
    console = Console(file=io.StringIO(), width=width, height=height)
    return [
        "".join(segment.text for segment in line).rstrip()
        for line in console.render_lines(thoughts)
    ]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    return Terminal(Tty(), Tty(), Tty())


BAR = "thinking " + "━" * 3 + "─" * 27


def test_speed_is_shown_once_it_means_something(terminal: Terminal) -> None:
    now = [100.0]
    thoughts = LiveThoughts(terminal, clock=lambda: now[0])
    assert shown(thoughts) == ["reading"]
    thoughts.add(ThinkingDelta("so", 1, 10))
    now[0] += 0.2
    assert shown(thoughts) == ["so", f"{BAR} 1/10 · – tok/s · 0.2 s"]
    thoughts.add(ThinkingDelta(" what", 2, 20))
    now[0] += 0.3
    assert shown(thoughts) == ["so what", f"{BAR} 2/20 · 2 tok/s · 0.5 s"]


def test_what_is_dialled_is_shown_at_once(terminal: Terminal) -> None:
    thoughts = LiveThoughts(terminal, keys="+ - =")
    thoughts.turned(10, "")  # too early: nothing to show it on
    thoughts.add(ThinkingDelta("so", 1, 512))
    thoughts.turned(10, "budget = 1_")
    assert shown(thoughts) == ["so", f"{BAR} 1/10 · budget = 1_"]


def test_a_low_window_shows_fewer_lines(terminal: Terminal) -> None:
    thoughts = LiveThoughts(terminal)
    thoughts.add(ThinkingDelta("1\n2\n3\n4\n5\n6\n7\n8\n9", 9, None))
    assert shown(thoughts)[:-1] == ["2", "3", "4", "5", "6", "7", "8", "9"]
    assert shown(thoughts, height=7)[:-1] == ["7", "8", "9"]
    assert shown(thoughts, height=2)[:-1] == ["9"]


def test_wide_characters_are_wrapped_by_their_width(terminal: Terminal) -> None:
    thoughts = LiveThoughts(terminal)
    thoughts.add(ThinkingDelta("日本語日本語日本語", 9, None))
    assert shown(thoughts, width=12)[:-1] == ["日本語日本語", "日本語"]


def test_hidden_thoughts_are_a_bar(terminal: Terminal) -> None:
    thoughts = HiddenThoughts(terminal)
    thoughts.add(ThinkingDelta("so\nwhat", 1, None))
    assert len(shown(thoughts)) == 1


def test_full_thoughts_leave_only_the_last_line_in_the_region(terminal: Terminal) -> None:
    thoughts = FullThoughts(terminal)
    thoughts.add(ThinkingDelta("so\nwh", 1, None))
    thoughts.add(ThinkingDelta("at", 2, None))
    assert shown(thoughts)[:-1] == ["what"]
