"""Call a tool that a model asked for: whatever goes wrong, the model is told.

Knows names, time limits, and how long a result may be. Does not know models, nor what tools do.
Every call runs in a thread of its own. A function cannot be ended from outside: one that hangs
keeps its thread, which ends with the program.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event as Flag
from threading import Thread
from time import perf_counter
from types import TracebackType

from qwen3_mlx.errors import Qwen3Error
from qwen3_mlx.events import ToolCall, ToolResult
from qwen3_mlx.tools.coerce import coerced_arguments
from qwen3_mlx.tools.tool import Tool

MOST_CHARACTERS = 20_000
"""Of a result; what is longer is cut, and the model is told so."""

LOOK = 0.05
"""Seconds between two looks at whether a person has ended the turn."""

FAILED = "error: "
NOT_ALLOWED = f"{FAILED}the call was not allowed"
STOPPED = f"{FAILED}the call was stopped before it came to a result"


def run(
    tools: Sequence[Tool],
    call: ToolCall,
    *,
    approve: Callable[[ToolCall], bool] | None = None,
    stopped: Callable[[], bool] = lambda: False,
    fitting: Callable[[str], int] = len,
    clock: Callable[[], float] = perf_counter,
) -> ToolResult:
    """Call the tool, and say what came of it; no error leaves this but those of `approve`.

    Args:
        tools: Those that may be called.
        call: What the model asks for.
        approve: Asked before the call; without it, all are allowed.
        stopped: Asked meanwhile whether to wait no longer.
        fitting: How many characters of a text of at most `MOST_CHARACTERS` may be told.
        clock: Seconds, from any start.
    """
    tool = next((tool for tool in tools if tool.name == call.name), None)
    if tool is None:
        known = ", ".join(tool.name for tool in tools) or "none"
        return failure(call.name, f"there is no tool {call.name}; there are: {known}")
    if approve is not None and not approve(call):
        return ToolResult(call.name, NOT_ALLOWED, failed=True, seconds=0.0)
    before = clock()
    text, failed = _outcome(tool, call.arguments, stopped)
    seconds = clock() - before
    return ToolResult(call.name, shortened(text, fitting), failed, seconds)


def failure(name: str, why: str) -> ToolResult:
    """The result of a call that was never made."""
    return ToolResult(name, shortened(f"{FAILED}{why}"), failed=True, seconds=0.0)


def shortened(text: str, fitting: Callable[[str], int] = len) -> str:
    """As many of the first characters as fit, and how many there were if that is not all.

    Half of a surrogate pair, which no file could hold, becomes a question mark.
    """
    text = text.encode("utf-8", "replace").decode("utf-8")
    most = fitting(text[:MOST_CHARACTERS])
    if len(text) <= most:
        return text
    return f"{text[:most]}\n[cut here: the first {most} of {len(text)} characters]"


class _Running:
    """A call under way in a thread of its own; as a context, it takes whatever is raised.

    Attributes:
        over: Set once there is a result.
        text: What the model is told.
        failed: Whether it is an error.
    """

    def __init__(self) -> None:
        self.over = Flag()
        self.text = f"{FAILED}the tool failed and could not say why"
        self.failed = True

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if error is not None:
            with suppress(Exception):  # an error that cannot even be written
                self.text = f"{FAILED}{_message(error)}"
        self.over.set()
        return True  # SystemExit too: a tool ends nothing but itself


def _outcome(
    tool: Tool, arguments: Mapping[str, object], stopped: Callable[[], bool]
) -> tuple[str, bool]:
    """What the model is told, and whether the call failed."""
    running = _Running()
    thread = Thread(
        target=_run, args=(tool, arguments, running), name=f"tool {tool.name}", daemon=True
    )
    thread.start()
    left = tool.seconds
    while left > 0 and not running.over.wait(min(LOOK, left)):
        left -= LOOK
        if stopped():
            return STOPPED, True
    if not running.over.is_set():
        return f"{FAILED}{tool.name} took longer than {tool.seconds:g} seconds", True
    return running.text, running.failed


def _run(tool: Tool, arguments: Mapping[str, object], running: _Running) -> None:
    with running:
        text = tool.call(coerced_arguments(arguments, tool.parameters))
        running.text, running.failed = _checked(text), False


def _checked(text: object) -> str:
    if not isinstance(text, str):
        raise TypeError(f"the tool gave no text but a {type(text).__name__}")
    return text


def _message(error: BaseException) -> str:
    if isinstance(error, Qwen3Error):
        return error.message
    said, kind = str(error), type(error).__name__
    return f"{kind}: {said}" if said else kind
