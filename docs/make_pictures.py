"""The pictures of the chat in the README: ``python -m docs.make_pictures`` runs `tiny` and draws.

Knows a terminal that remembers styles, and how Rich draws one. What is in the pictures is what the
program wrote, at the moments that are named here.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyte.graphics
from rich.console import Console
from rich.text import Text

from tests.cli.screen import Screen

PICTURES = Path(__file__).parent / "pictures"
COLUMNS, ROWS = 78, 16
QUESTION = "What is 347 + 86 + 512 + 9 + 728 + 64?"
USED = re.compile(r"thinking .* (\d+)/\d+ ")

# pyte forgets dim text (SGR 2). It knows blinking, which the program never writes.
pyte.graphics.TEXT[2] = "+blink"


def main() -> None:
    """Draw all of them."""
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as home, started(home) as screen:
        screen.wait_for("›")
        screen.type(f"{QUESTION}\r")
        when(screen, lambda: used(screen) >= 20)
        draw(screen, "thinking")
        screen.wait_for("stopped by itself")
        settle(screen)
        draw(screen, "folded")
        screen.type("/budget 16\r")
        settle(screen)
        screen.type(f"{QUESTION}\r")
        screen.wait_for("stopped by the budget")
        settle(screen)
        draw(screen, "budget")


def started(home: str) -> Screen:
    """A chat with `tiny`, of a person who never used it before."""
    command = [sys.executable, "-m", "qwen3_mlx", "chat", "-m", "tiny"]
    env = {"XDG_CONFIG_HOME": home, "XDG_STATE_HOME": home, "COLORTERM": "truecolor"}
    return Screen(command, columns=COLUMNS, rows=ROWS, env=env)


def used(screen: Screen) -> int:
    """Tokens of thinking that the bar shows."""
    found = USED.search(screen.text)
    return int(found[1]) if found else 0


def when(screen: Screen, condition: Callable[[], bool]) -> None:
    screen.wait_until(condition, "the moment")


def settle(screen: Screen) -> None:
    """Wait for the next prompt."""
    when(screen, lambda: screen.text.endswith("›") and bool(screen.toolbar))


def draw(screen: Screen, name: str) -> None:
    """The screen as it is now, as an SVG."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    lines = [line(screen, row) for row in range(ROWS)]
    while not lines[-1].plain.strip():
        lines.pop()
    console.print(Text("\n").join(lines))
    console.save_svg(str(PICTURES / f"{name}.svg"), title="qwen3-mlx chat", clear=False)


def line(screen: Screen, row: int) -> Text:
    """A row of the screen with its styles."""
    text = Text(no_wrap=True)
    for column in range(COLUMNS):
        cell = screen.cell(row, column)
        words = {"bold": cell.bold, "dim": cell.blink, "italic": cell.italics}
        words |= {"underline": cell.underscore, "reverse": cell.reverse}
        colour = cell.fg if cell.fg != "default" else ""
        colour = f"#{colour}" if re.fullmatch(r"[0-9a-f]{6}", colour) else colour
        style = " ".join(
            [word for word, on in words.items() if on] + [colour.replace("brown", "yellow")]
        )
        text.append(cell.data, style.strip())
    return text


if __name__ == "__main__":
    main()
