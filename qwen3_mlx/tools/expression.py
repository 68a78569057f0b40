"""Arithmetic expressions, read by precedence climbing and worked out as they are read.

Knows how people and models write them, and says where one cannot be read. Nothing of an expression
is ever run as code. Does not know how numbers are worked out or shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeAlias

from qwen3_mlx.errors import ToolError
from qwen3_mlx.tools import arithmetic

MAX_LENGTH = 1000
MAX_DEPTH = 50
"""Of brackets, signs and powers inside each other."""

_TOKEN = re.compile(
    r"(?P<number>(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?(?![0-9.]))"
    r"|(?P<name>[A-Za-z_]+)|(?P<sign>\*\*|//|[-+*/%^(),])"
)
_SPELLINGS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-"})

_Operation: TypeAlias = Callable[[Fraction, Fraction], Fraction]
_SUM, _PRODUCT, _SIGN, _POWER = range(1, 5)
_OPERATIONS: dict[str, tuple[int, _Operation]] = {
    "+": (_SUM, arithmetic.add),
    "-": (_SUM, arithmetic.subtract),
    "*": (_PRODUCT, arithmetic.multiply),
    "/": (_PRODUCT, arithmetic.divide),
    "//": (_PRODUCT, arithmetic.floor_divide),
    "%": (_PRODUCT, arithmetic.modulo),
    "**": (_POWER, arithmetic.power),
    "^": (_POWER, arithmetic.power),
}
_CONSTANTS = {"pi": arithmetic.PI}
_FUNCTIONS: dict[str, tuple[int, int, Callable[..., Fraction]]] = {
    "sqrt": (1, 1, arithmetic.square_root),
    "abs": (1, 1, abs),
    "round": (1, 2, arithmetic.rounded),
    "min": (1, MAX_LENGTH, lambda *values: min(values)),
    "max": (1, MAX_LENGTH, lambda *values: max(values)),
}
"""For each function the fewest and the most values that it takes."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    position: int  # of its first character, counted from 1


def evaluate(text: str) -> Fraction:
    """The value of an expression.

    Raises:
        ToolError: it cannot be read, with the place; or it cannot be worked out.
    """
    if len(text) > MAX_LENGTH:
        raise ToolError(f"the expression has {len(text)} characters; {MAX_LENGTH} are allowed")
    return _Reader(text).value()


class _Reader:
    """Reads one expression from its left to its right."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text.translate(_SPELLINGS)))
        self._next = 0
        self._depth = 0

    def value(self) -> Fraction:
        value = self._expression(0)
        if self._token.kind != "end":
            raise _unexpected(self._token)
        return value

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._token
        self._next += token.kind != "end"
        return token

    def _expression(self, binding: int) -> Fraction:
        """What stands here, with all operators after it that bind more tightly than `binding`."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ToolError(f"more than {MAX_DEPTH} levels at character {self._token.position}")
        left = self._operand()
        while self._binds_more_than(binding):
            tightness, operation = _OPERATIONS[self._take().text]
            # A power takes its right side first: 2**3**2 is 2**9.
            left = operation(left, self._expression(tightness - (tightness == _POWER)))
        self._depth -= 1
        return left

    def _binds_more_than(self, binding: int) -> bool:
        return self._token.text in _OPERATIONS and _OPERATIONS[self._token.text][0] > binding

    def _operand(self) -> Fraction:
        token = self._take()
        if token.kind == "number":
            return arithmetic.bounded(Fraction(token.text))
        if token.kind == "name":
            return self._named(token)
        if token.text in ("+", "-"):
            value = self._expression(_SIGN)
            return value if token.text == "+" else -value
        if token.text == "(":
            value = self._expression(0)
            self._close(token)
            return value
        raise _unexpected(token, "a number")

    def _named(self, token: _Token) -> Fraction:
        name = token.text.lower()
        if name in _CONSTANTS:
            return _CONSTANTS[name]
        if name not in _FUNCTIONS:
            known = ", ".join([*_FUNCTIONS, *_CONSTANTS])
            raise ToolError(f"unknown name {token.text!r} at {_place(token)}; known are {known}")
        fewest, most, function = _FUNCTIONS[name]
        values = self._values(token)
        if not fewest <= len(values) <= most:
            raise ToolError(f"{name} at {_place(token)} does not take {len(values)} values")
        return function(*values)

    def _values(self, name: _Token) -> list[Fraction]:
        opening = self._take()
        if opening.text != "(":
            raise _unexpected(opening, f"a bracket after {name.text}")
        values = [self._expression(0)]
        while self._token.text == ",":
            self._take()
            values.append(self._expression(0))
        self._close(opening)
        return values

    def _close(self, opening: _Token) -> None:
        token = self._take()
        if token.text != ")":
            raise _unexpected(token, f"a bracket that closes the one at {_place(opening)}")


def _tokens(text: str) -> Iterator[_Token]:
    position = 0
    while position < len(text):
        if text[position].isspace():
            position += 1
            continue
        found = _TOKEN.match(text, position)
        if found is None:
            raise ToolError(f"{text[position]!r} at character {position + 1} cannot be read")
        yield _Token(str(found.lastgroup), found[0], position + 1)
        position = found.end()
    yield _Token("end", "", len(text) + 1)


def _unexpected(token: _Token, expected: str = "") -> ToolError:
    found = "the end" if token.kind == "end" else f"{token.text!r} at {_place(token)}"
    if token.text == ",":
        return ToolError(f"there is {found}; write numbers without commas")
    return ToolError(f"there is {found} where {expected or 'an operator'} should be")


def _place(token: _Token) -> str:
    return f"character {token.position}"
