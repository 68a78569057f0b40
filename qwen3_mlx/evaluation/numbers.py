"""Numbers as people and models write them, read exactly.

Knows signs, thousands, decimals, fractions and currencies. Does not know what the numbers are for.
"""

from __future__ import annotations

import re
from fractions import Fraction

MAX_DIGITS = 100
"""A longer number is none: what takes time to compute with is no answer."""

# A sign counts where nothing stands before it that it could take away from: 512-347 ends in 347.
_NUMBER = re.compile(
    r"(?P<sign>(?<![\w)\]}.])[-−+])?\\?[$€£]?"
    r"(?P<whole>[0-9]{1,3}(?:,[0-9]{3})+(?![0-9])|[0-9]+|(?=\.[0-9]))"
    r"(?:\.(?P<decimals>[0-9]+))?"
    r"(?:/(?P<denominator>[0-9]+))?"
)
_SPACED = re.compile(r"(?<=[0-9])(?:\{,\}|\\!|\\,)+(?=[0-9]{3})")
_FRACTION = re.compile(r"\\[dt]?frac\{([0-9]+)\}\{([0-9]+)\}")


def as_number(text: str) -> Fraction | None:
    """The number that a text is, but for what surrounds a number: spaces, units of money, `%`."""
    plain = _plain(text.strip().rstrip("%\\").strip())
    match = _NUMBER.fullmatch(plain)
    return _value(match) if match else None


def last_number(text: str) -> Fraction | None:
    """The last number in a text; None if there is none."""
    last = None
    for match in _NUMBER.finditer(_plain(text)):
        last = match
    return _value(last) if last else None


def _plain(text: str) -> str:
    r"""Without LaTeX's ways to write thousands and fractions: 1{,}000, \frac{1}{2}."""
    return _FRACTION.sub(r"\1/\2", _SPACED.sub("", text))


def _value(match: re.Match[str]) -> Fraction | None:
    whole, decimals = match["whole"].replace(",", ""), match["decimals"] or ""
    denominator = match["denominator"] or "1"
    if len(whole) + len(decimals) > MAX_DIGITS or len(denominator) > MAX_DIGITS:
        return None
    if not int(denominator):
        return None
    value = Fraction(int(whole + decimals), 10 ** len(decimals) * int(denominator))
    return -value if match["sign"] in ("-", "−") else value
