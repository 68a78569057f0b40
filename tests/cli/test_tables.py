"""Tables: columns under each other, and rows that are longer than the screen."""

from __future__ import annotations

from qwen3_mlx.cli.tables import aligned, columns

HEAD = ("NAME", "SIZE", "")
ROWS = [("tiny", "4 MB", "bundled"), ("32b", "18 GB", "too large")]


def test_columns_begin_under_each_other() -> None:
    assert columns(HEAD, ROWS) == [
        "NAME  SIZE",
        "tiny  4 MB   bundled",
        "32b   18 GB  too large",
    ]
    assert columns(HEAD, ROWS, 22) == columns(HEAD, ROWS)


def test_a_row_that_is_longer_than_the_screen_goes_on_below() -> None:
    assert columns(HEAD, ROWS, 21) == [
        "NAME  SIZE",
        "tiny  4 MB   bundled",
        "32b   18 GB",
        "    too large",
    ]


def test_no_cell_is_broken() -> None:
    assert aligned([("a", "longer than the screen", "b")], 5) == [
        "a",
        "    longer than the screen",
        "    b",
    ]
