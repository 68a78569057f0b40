"""The clock: what it says of a time that is handed in."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from qwen3_mlx.tools.clock import clock_tool, local_time


def test_its_description() -> None:
    assert json.dumps(clock_tool().schema["function"]) == (
        '{"name": "current_time", "description": "Tell the date and the time now.", '
        '"parameters": {"type": "object", "properties": {}, "required": []}}'
    )


def test_the_day_the_time_and_the_offset() -> None:
    east = timezone(timedelta(hours=5, minutes=30))
    tool = clock_tool(lambda: datetime(2026, 7, 5, 14, 3, 9, tzinfo=east))
    assert tool.call({}) == "Sunday, 2026-07-05 14:03:09, UTC+05:30"
    tool = clock_tool(lambda: datetime(2024, 2, 29, tzinfo=UTC))
    assert tool.call({"zone": "Mars"}) == "Thursday, 2024-02-29 00:00:00, UTC+00:00"


def test_the_time_here_knows_its_offset() -> None:
    assert local_time().utcoffset() is not None
