"""Plain tables: columns of equal width. Knows text, not what it means."""

from __future__ import annotations

from collections.abc import Sequence

Row = Sequence[str]

_GAP = "  "
_INDENT = "    "


def columns(head: Row, rows: Sequence[Row], width: int | None = None) -> list[str]:
    """Lines whose cells begin under each other; the first line is the head.

    Args:
        head: Of the columns.
        rows: As many cells each.
        width: Columns of the screen, None without one. A row that is longer is broken between
            its cells, and goes on below, indented.
    """
    return aligned([head, *rows], width)


def aligned(rows: Sequence[Row], width: int | None = None) -> list[str]:
    """As `columns`, for rows without a head."""
    widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
    return [line for row in rows for line in _lines(list(map(str.ljust, row, widths)), width)]


def _lines(cells: Sequence[str], width: int | None) -> list[str]:
    lines: list[str] = []
    line = ""
    for cell in cells:
        longer = f"{line}{_GAP}{cell}" if line else cell
        if line and width is not None and len(longer.rstrip()) > width:
            lines.append(line.rstrip())
            longer = f"{_INDENT}{cell.strip()}"
        line = longer
    return [*lines, line.rstrip()]
