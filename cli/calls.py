"""Calls of tools on the screen: asked about before they run, and a line each when they are over.

Knows who may be asked, and that a person must see all of a call before a yes. Does not know what
tools do, nor how a turn goes on.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from qwen3_mlx.cli.call_wording import brief, folded, whole
from qwen3_mlx.cli.filter import clean
from qwen3_mlx.cli.terminal import Terminal
from qwen3_mlx.cli.tool_registry import ToolRegistry
from qwen3_mlx.events import ToolCall, ToolResult

if TYPE_CHECKING:
    from qwen3_mlx.cli.region import Region

QUESTION = "run it? [y]es / [n]o / [a]lways this tool"
_ANSWERS = "yna"
_PAUSE = 0.05  # seconds between looks whether Ctrl-C was pressed
_MARK = "▸ "


class Calls:
    """What a person sees of calls, and says to them.

    Args:
        terminal: Where to ask, and to show.
        tools: Knows which tools run without a question.

    Attributes:
        tools: As given.
        interrupted: Whether Ctrl-C was pressed in this turn.
    """

    def __init__(self, terminal: Terminal, tools: ToolRegistry) -> None:
        self.tools = tools
        self.interrupted: Callable[[], bool] = lambda: False
        self._terminal = terminal
        self._pause: Callable[[], None] | None = None
        self._keys: queue.SimpleQueue[str] | None = None
        self._begun: deque[ToolCall] = deque()
        self._region: Region | None = None

    @property
    def asking(self) -> bool:
        """Whether a question waits for a key."""
        return self._keys is not None

    def begin(self, pause: Callable[[], None]) -> None:
        """A turn begins whose results will come here.

        Args:
            pause: Called before anything is written, so that nothing else is being redrawn.
        """
        self._pause = pause
        self._begun.clear()

    def approve(self, call: ToolCall) -> bool:
        """Whether the call may run; asks, unless that is settled."""
        if self._pause is not None:
            self._pause()
        may = not self.tools.must_ask(call.name) or self._ask(call)
        if may and self._pause is not None:
            self._shower(f"{_MARK}{brief(call)}")()
        return may

    def press(self, key: str) -> None:
        """A key was pressed, in any thread."""
        if (keys := self._keys) is not None:
            keys.put(key.lower())

    def begun(self, call: ToolCall) -> None:
        """The model asks for a call."""
        self._begun.append(call)

    def over(self, result: ToolResult) -> None:
        """A call is over: it becomes one line."""
        self._clear()
        call = self._begun.popleft() if self._begun else ToolCall(result.name, {})
        width = self._terminal.width
        line = folded(call, result, width and width - len(_MARK))
        self._terminal.aside(f"{_MARK}{line}" if self._terminal.live else line)

    def end(self) -> None:
        """The turn is over; leaves the screen tidy."""
        self._pause = None
        self._clear()

    def _clear(self) -> None:
        if self._region is not None:
            self._region.stop()
            self._region = None

    def _ask(self, call: ToolCall) -> bool:
        asked = whole(call.name, call.arguments)
        if not self._terminal.can_ask:
            hint = f"--allow-tools {call.name} allows it"
            self._terminal.aside(f"{asked} does not run: nobody can be asked here; {hint}")
            return False
        answer = self._answer(asked)
        if answer == "a":
            self.tools.allow(call.name)
        return answer in {"y", "a"}

    def _answer(self, asked: str) -> str:
        """The key that a person presses; `n` for Ctrl-C."""
        pose = self._question(asked)
        keys = self._keys = queue.SimpleQueue()  # not earlier: nothing is allowed unseen
        try:
            pose()
            return self._pressed(keys)
        finally:
            self._keys = None
            self._clear()

    def _pressed(self, keys: queue.SimpleQueue[str]) -> str:
        while not self.interrupted():
            with suppress(queue.Empty):
                key = keys.get(timeout=_PAUSE)
                if key in _ANSWERS:
                    return key
        return "n"

    def _question(self, asked: str) -> Callable[[], None]:
        """Shows the question; a long call stands above it, where nothing of it can be cut off."""
        terminal = self._terminal
        question = f"{asked}  {QUESTION}"
        if terminal.width is None:
            return partial(terminal.aside, question)
        if len(question) <= 3 * terminal.width:
            return self._shower(question)
        terminal.say(asked)
        return self._shower(QUESTION)

    def _shower(self, text: str) -> Callable[[], None]:
        """Shows something until `_clear`; nothing is left to be prepared."""
        if not self._terminal.live:
            return lambda: None
        from rich.text import Text

        from qwen3_mlx.cli.region import Region

        safe = clean(self._terminal.redaction.text(text))
        self._region = Region(Text(safe), self._terminal.console)
        return self._region.start
