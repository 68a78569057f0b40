"""Problems: numbers, the steps that solve them, and the answer.

Knows arithmetic, comparing and looking up. Does not know how a problem is worded, nor how it
becomes tokens. Which numbers are held out is decided here, by a hash of the numbers alone, so
that training and evaluation can never meet.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field

HELD_OUT_IN = 20  # one set of numbers in this many is never trained on
HARD_SUMS = 0.4  # share of the sums in training


@dataclass(frozen=True)
class Problem:
    """One question before it is worded.

    Attributes:
        kind: ``sum``, ``difference``, ``product``, ``largest``, ``lookup`` or ``story``.
        numbers: The operands in the order in which they are said.
        steps: The thinking, one short step a line.
        answer: What the reply must contain.
        details: What the wording or the reply needs besides the numbers (names, things).
    """

    kind: str
    numbers: tuple[int, ...]
    steps: tuple[str, ...]
    answer: str
    details: dict[str, str] = field(default_factory=dict)


def is_held_out(kind: str, numbers: tuple[int, ...]) -> bool:
    """Whether these numbers belong to the evaluation, never to the training."""
    text = f"{kind}:{','.join(map(str, numbers))}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=4).digest()) % HELD_OUT_IN == 0


def add_steps(numbers: tuple[int, ...]) -> list[str]:
    """Running sums: 4, 5, 6 -> ``4+5=9``, ``9+6=15``."""
    steps, total = [], numbers[0]
    for number in numbers[1:]:
        steps.append(f"{total}+{number}={total + number}")
        total += number
    return steps


def subtract_steps(first: int, second: int) -> list[str]:
    """Place by place from the left: 512-347 -> ``512-300=212``, ``212-40=172``, ``172-7=165``."""
    if second > first:
        return [f"{first}<{second}", *subtract_steps(second, first)]
    steps, rest = [], first
    for place in (100, 10, 1):
        part = second // place % 10 * place
        if part:
            steps.append(f"{rest}-{part}={rest - part}")
            rest -= part
    return steps or [f"{first}-0={first}"]


def multiply_steps(first: int, second: int) -> list[str]:
    """One partial product for each digit, then their sum.

    By one digit the first factor is split (47*6: 40*6, 7*6), else the second (47*86: 47*80, 47*6).
    """
    if second < 10:
        parts = [(part, second) for part in (first // 10 * 10, first % 10) if part]
    else:
        parts = [(first, part) for part in (second // 10 * 10, second % 10) if part]
    steps = [f"{a}*{b}={a * b}" for a, b in parts]
    if len(parts) == 2:
        (a, b), (c, d) = parts
        steps.append(f"{a * b}+{c * d}={a * b + c * d}")
    return steps


def largest_steps(numbers: tuple[int, ...]) -> list[str]:
    """The largest so far against the next: 4, 9, 6 -> ``4<9``, ``9>6``."""
    steps, best = [], numbers[0]
    for number in numbers[1:]:
        sign = "<" if best < number else ">" if best > number else "="
        steps.append(f"{best}{sign}{number}")
        best = max(best, number)
    return steps


def _number(rng: random.Random, most_digits: int) -> int:
    digits = rng.randint(1, most_digits)
    return rng.randint(1 if digits == 1 else 10 ** (digits - 1), 10**digits - 1)


def make_sum(rng: random.Random, count: int | None = None, most_digits: int = 3) -> Problem:
    count = count or rng.choices(range(2, 9), weights=(6, 6, 5, 5, 5, 5, 5))[0]
    same = rng.random() < 0.5
    width = rng.randint(1, most_digits)
    numbers = tuple(_number(rng, width if same else most_digits) for _ in range(count))
    return Problem("sum", numbers, tuple(add_steps(numbers)), str(sum(numbers)))


def _near_a_carry(rng: random.Random, total: int) -> int:
    """What brings ``total`` close to a round hundred or thousand: all digits carry, or none."""
    place = rng.choice((100, 100, 1000))
    number = place - total % place + rng.randint(-9, 9)
    return number if 0 < number < 1000 else _number(rng, 3)


def make_hard_sum(rng: random.Random) -> Problem:
    """What plain sums seldom show: long carries, and numbers that are said several times."""
    count, width = rng.randint(2, 8), rng.randint(1, 3)
    if rng.random() < 0.4:
        few = [_number(rng, width) for _ in range(max(2, count // 2))]
        numbers = tuple(rng.choices(few, k=count))
    else:
        numbers = (_number(rng, 3),)
        while len(numbers) < count:
            near = rng.random() < 0.7
            numbers += (_near_a_carry(rng, sum(numbers)) if near else _number(rng, width),)
    return Problem("sum", numbers, tuple(add_steps(numbers)), str(sum(numbers)))


def make_difference(rng: random.Random, most_digits: int = 3) -> Problem:
    first, second = _number(rng, most_digits), _number(rng, most_digits)
    if second > first and rng.random() < 0.85:
        first, second = second, first
    steps = tuple(subtract_steps(first, second))
    return Problem("difference", (first, second), steps, str(first - second))


def make_product(rng: random.Random) -> Problem:
    first = rng.randint(10, 99)
    second = rng.randint(2, 9) if rng.random() < 0.35 else rng.randint(10, 99)
    steps = tuple(multiply_steps(first, second))
    return Problem("product", (first, second), steps, str(first * second))


def make_largest(rng: random.Random) -> Problem:
    count, width = rng.randint(2, 7), rng.randint(1, 3)
    numbers: tuple[int, ...] = ()
    while len(set(numbers)) < count:
        numbers = (*numbers, _number(rng, width + (count > 5)))[-count:]
    return Problem("largest", numbers, tuple(largest_steps(numbers)), str(max(numbers)))


MAKERS: dict[str, Callable[[random.Random], Problem]] = {
    "sum": make_sum,
    "difference": make_difference,
    "product": make_product,
    "largest": make_largest,
}


def make(kind: str, rng: random.Random, *, held_out: bool) -> Problem:
    """One problem of a kind, from the training numbers or from the held-out ones.

    The hard sums are exercises: only the training has them.
    """
    hard = kind == "sum" and not held_out and rng.random() < HARD_SUMS
    maker = make_hard_sum if hard else MAKERS[kind]
    while True:
        problem = maker(rng)
        if is_held_out(kind, problem.numbers) == held_out:
            return problem
