"""The line editor on a screen of its own: what it writes while a line is edited.

Knows prompt_toolkit's pipes for keys and its output for terminals.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from qwen3_mlx.cli.editor import Desk, LineEditor
from qwen3_mlx.cli.history import TypedLines
from tests.trust.screens import Stream

LINE_END = re.compile(r"(?:\r\x1b\[0m)?\r?\n")

KEYS = "\t\x1b[A\x15\r"
"""The completions are listed, an earlier line is taken, all of it is deleted, and sent."""


class Output(Vt100_Output):
    """Knows where its cursor is: else there would be no toolbar before a terminal has said so."""

    def get_rows_below_cursor_position(self) -> int:
        return 10


def edited(names: Sequence[str], line: str, toolbar: str = "") -> str:
    """What is written where these names complete a word, and this line was typed before.

    Line ends and steps to the left are the editor's own.
    """
    stream = Stream(screen=True)
    output = Output(stream, lambda: Size(20, 60), term="xterm-256color")
    typed = TypedLines(None)
    typed.add(line)
    with create_pipe_input() as keys, create_app_session(input=keys, output=output):
        editor = LineEditor(typed)
        editor.sit_at(Desk(lambda: toolbar, lambda: None, lambda: None, lambda _word: names))
        keys.send_text(KEYS)
        editor.read("", line)
    return LINE_END.sub("\n", stream.getvalue()).replace("\b\x1b", "\x1b")
