"""Exact arithmetic of bounded size: fractions, and their roots and powers to 50 digits.

Knows numbers. Every operation looks at the size of its result before it works it out, so that none
takes long. Does not know how expressions are written.
"""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction

from qwen3_mlx.errors import ToolError

MAX_BITS = 3400
"""Of a numerator or a denominator: numbers of a thousand digits."""

EXACT_DIGITS = 20  # as many are shown where they are all of a number's digits
ROUNDED_DIGITS = 15  # and as many of what has no end
_EXACT, _ROUNDED, _WIDE = (Context(prec=digits) for digits in (EXACT_DIGITS, ROUNDED_DIGITS, 50))
_LONGEST_PLAIN = 40  # characters of a number that is no integer; longer ones get an exponent

PI = Fraction("3.14159265358979323846264338327950288419716939937510")


def add(left: Fraction, right: Fraction) -> Fraction:
    """The sum."""
    return bounded(left + right)


def subtract(left: Fraction, right: Fraction) -> Fraction:
    """The difference."""
    return bounded(left - right)


def multiply(left: Fraction, right: Fraction) -> Fraction:
    """The product."""
    return bounded(left * right)


def divide(left: Fraction, right: Fraction) -> Fraction:
    """The quotient."""
    return bounded(left / _divisor(right))


def floor_divide(left: Fraction, right: Fraction) -> Fraction:
    """The quotient, rounded down."""
    return Fraction(left // _divisor(right))


def modulo(left: Fraction, right: Fraction) -> Fraction:
    """What is left over by `floor_divide`; it has the sign of the divisor."""
    return bounded(left % _divisor(right))


def power(base: Fraction, exponent: Fraction) -> Fraction:
    """The power: exact for whole exponents, else to 50 digits.

    Raises:
        ToolError: it is too large, divides by zero, or is no real number.
    """
    if base == 0 and exponent < 0:
        raise ToolError("division by zero")
    if exponent.denominator != 1:
        return _root_power(base, exponent)
    bits = max(abs(base.numerator), base.denominator).bit_length() - 1
    if bits * abs(exponent) > MAX_BITS:
        raise _too_large()
    return bounded(Fraction(base ** int(exponent)))


def square_root(number: Fraction) -> Fraction:
    """The square root: exact where it is a fraction, else to 50 digits."""
    if number < 0:
        raise ToolError("the square root of a negative number is no real number")
    exact = Fraction(math.isqrt(number.numerator), math.isqrt(number.denominator))
    return exact if exact * exact == number else _root_power(number, Fraction(1, 2))


def rounded(number: Fraction, places: Fraction = Fraction(0)) -> Fraction:
    """The number with so many decimal places; half of one is rounded away from zero."""
    if places.denominator != 1 or abs(places) > ROUNDED_DIGITS:
        raise ToolError(f"round takes a whole number of places, {ROUNDED_DIGITS} at most")
    unit = Fraction(10) ** -int(places)
    steps = math.floor(abs(number) / unit + Fraction(1, 2))
    return steps * unit * (-1 if number < 0 else 1)


def bounded(number: Fraction) -> Fraction:
    """The number; 50 digits of it where it is a fraction of very long numbers.

    Raises:
        ToolError: it is too large to go on with, or too close to 0.
    """
    if _fits(number):
        return number
    short = number if number.denominator == 1 else Fraction(_decimal(number, _WIDE))
    if not _fits(short):
        raise _too_large()
    return short


def _fits(number: Fraction) -> bool:
    return max(number.numerator.bit_length(), number.denominator.bit_length()) <= MAX_BITS


def shown(number: Fraction) -> str:
    """A number as people write it: integers whole, else all its digits or the first 15."""
    if number.denominator == 1:
        return str(number.numerator)
    digits = _decimal(number, _EXACT)
    exact = Fraction(digits) == number
    digits = (digits if exact else _decimal(number, _ROUNDED)).normalize(_EXACT)
    plain = f"{digits:f}"
    invented = not exact and digits.adjusted() >= ROUNDED_DIGITS  # zeros before the point
    return f"{digits:e}" if invented or len(plain) > _LONGEST_PLAIN else plain


def _decimal(number: Fraction, context: Context) -> Decimal:
    return context.divide(Decimal(number.numerator), Decimal(number.denominator))


def _root_power(base: Fraction, exponent: Fraction) -> Fraction:
    if base < 0:
        raise ToolError("a negative number to a power that is not whole is no real number")
    if base == 0:
        return base
    wide = _decimal(base, _WIDE)
    if abs(wide.log10(_WIDE) * _decimal(exponent, _WIDE)) > 1000:
        raise _too_large()
    return bounded(Fraction(_WIDE.power(wide, _decimal(exponent, _WIDE))))


def _divisor(number: Fraction) -> Fraction:
    if number == 0:
        raise ToolError("division by zero")
    return number


def _too_large() -> ToolError:
    return ToolError("too large or too small: numbers may have 1000 digits")
