"""The clock: a tool that tells the date and the time.

Knows how they are written for a model. The clock itself is handed in.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from qwen3_mlx.tools.tool import Tool


def local_time() -> datetime:
    """The time now, with the offset of this machine's time zone."""
    return datetime.now().astimezone()


def clock_tool(now: Callable[[], datetime] = local_time) -> Tool:
    """The tool `current_time`.

    Args:
        now: Tells the time, with its offset from UTC.
    """
    return Tool(
        name="current_time",
        description="Tell the date and the time now.",
        parameters={"type": "object", "properties": {}, "required": []},
        call=lambda _arguments: _written(now()),
    )


def _written(time: datetime) -> str:
    """As `Sunday, 2026-07-05 14:03:12, UTC+02:00`."""
    offset = f"{time:%z}"
    return f"{time:%A, %Y-%m-%d %H:%M:%S}, UTC{offset[:3]}:{offset[3:5]}"
