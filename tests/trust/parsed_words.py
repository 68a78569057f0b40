"""What models, servers and people say that is read as more than text.

Knows calls of tools, answers that are scored, expressions, attached files and what MCP servers
write, and reads them as the program does.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from qwen3_mlx.cli.files import attached
from qwen3_mlx.errors import ToolError
from qwen3_mlx.evaluation.scoring import is_right
from qwen3_mlx.evaluation.task import Compare, Task
from qwen3_mlx.events import ToolCall
from qwen3_mlx.text.calls import read_call
from qwen3_mlx.text.lookup_like import decide
from qwen3_mlx.text.switches import find_switch
from qwen3_mlx.tools.calculator import CALCULATOR
from qwen3_mlx.tools.schema import tool_of
from tests.trust import said_seeds
from tests.trust.mcp_replies import serve
from tests.trust.target import Target, target

COMPARES = tuple(compare for compare in Compare if compare is not Compare.REGEX)
"""All but what a process of its own looks for."""


def words(folder: Path) -> dict[str, Target]:
    """These kinds of texts, by name."""
    return {
        "tool call": target(folder / "call", _read_call, *said_seeds.CALLS),
        "answer": target(folder / "answer", _score, *said_seeds.ANSWERS),
        "expression": target(folder / "expression", _work_out, *said_seeds.EXPRESSIONS),
        "attached file": target(folder / "question.txt", _read_attached, said_seeds.QUESTION),
        "MCP replies": target(folder / "replies", serve, said_seeds.replies()),
    }


def _said(path: Path) -> str:
    """As a model can say it: any text that is one."""
    return path.read_bytes().decode("utf-8", "replace")


def look(at: str, times: int, exactly: float = 0.5, often: list[int] | None = None) -> str:
    """Look at something.

    Args:
        at: What.
        times: How often.
        exactly: How exactly.
        often: At which times.
    """
    return f"{at} {times} {exactly} {often}"


LOOK = tool_of(look)


def _read_call(path: Path) -> None:
    """As it stands, and mended; then the tool is called."""
    said = _said(path)
    for repairing in (False, True):
        call = read_call(said, repairing=repairing)
        if isinstance(call, ToolCall):
            with suppress(ToolError):  # of any length: whoever calls tools cuts it
                LOOK.call(call.arguments)


def _score(path: Path) -> None:
    said = _said(path)
    for compare in COMPARES:
        is_right(Task("1", "?", ("B", "5", r"\frac{1}{2}"), compare), said)


def _work_out(path: Path) -> None:
    CALCULATOR.call({"expression": _said(path)})


def _read_attached(path: Path) -> None:
    text = attached(path)
    decide(f"What is in it?\n\n{text}", "What is in it?")
    decide(text)
    find_switch(text)
