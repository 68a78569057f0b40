"""Plain tables: columns of equal width. Knows text, not what it means."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]


def columns(head: Row, rows: Sequence[Row]) -> list[str]:
    """Lines whose cells begin under each other; the first line is the head."""
    table = [head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in table]
