"""What docstrings say of functions, in three styles."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.tools.docstring import parameters, summary

GOOGLE = """Find a book
    in the library.

    Slowly.

    Args:
        title: Of the book; what: ever.
        year (int, optional): When it was
            printed.
        *more: Words.

    Returns:
        book: The book.
    """
NUMPY = """
    Find a book in the library.

    Parameters
    ----------
    title, subtitle : str
        Of the book.

        And more.
    year
        When it was printed.

    Returns
    -------
    str
        The book.
    """
SPHINX = """Find a book in the library.

    :param str title: Of the book,
        in full.
    :param year: When it was printed.
    :type year: int
    :returns: The book.
    """


def test_googles_style() -> None:
    assert summary(GOOGLE) == "Find a book in the library."
    assert parameters(GOOGLE) == {
        "title": "Of the book; what: ever.",
        "year": "When it was printed.",
        "more": "Words.",
    }


def test_numpys_style() -> None:
    assert summary(NUMPY) == "Find a book in the library."
    assert parameters(NUMPY) == {
        "title": "Of the book. And more.",
        "subtitle": "Of the book. And more.",
        "year": "When it was printed.",
    }


def test_sphinxs_style() -> None:
    assert summary(SPHINX) == "Find a book in the library."
    assert parameters(SPHINX) == {
        "title": "Of the book, in full.",
        "year": "When it was printed.",
    }


@pytest.mark.parametrize("text", ["", "Args:\n    a: b", ":param a: b", "\n\n"])
def test_there_may_be_no_summary(text: str) -> None:
    assert summary(text) == ""


def test_a_docstring_without_parameters() -> None:
    assert parameters("Do it: now.\n\nNote:\n    a: is no parameter.") == {}


@given(st.text(alphabet="Args:\n -Parameters:param a"))
def test_any_text_can_be_read(text: str) -> None:
    assert "\n" not in summary(text)
    assert all("\n" not in said for said in parameters(text).values())
