"""Whether a tensor in a file is what its format can hold of the source's.

Knows one tensor at a time and reads a few rows at a time. Does not know which there must be.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.reader import read_rows
from qwen3_mlx.convert.bounds import allowed_error
from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.rounding import restored, rounded
from qwen3_mlx.convert.sources import Source

DIGITS = 4


@dataclass(frozen=True)
class Check:
    """What was found about one tensor.

    Attributes:
        name: Of the tensor.
        exact: Whether every bit is what rounding the source's numbers gives here.
        error: Energy of the error relative to that of the numbers, as the root of both.
        worst: The largest error of a group, as a part of what its format allows; above 1 the
            tensor is not what it ought to be.
        group: Where that was: the row, and the group in it.
    """

    name: str
    exact: bool
    error: float
    worst: float
    group: tuple[int, int]

    @property
    def is_within_bounds(self) -> bool:
        return self.worst <= 1

    def describe(self) -> str:
        """Its error in words."""
        row, group = self.group
        return (
            f"error {self.error:.2%} of the numbers, in group {group} of row {row} "
            f"{self.worst:.3g} times what the format allows"
        )


@dataclass(frozen=True)
class _Part:
    """What was found about some rows."""

    exact: bool
    noise: float
    signal: float
    worst: float
    group: tuple[int, int]


def check_tensor(target: Target, source: Source, stored: Mapping[str, TensorInfo]) -> Check:
    """Compare a tensor in a file with the source, number by number.

    Args:
        target: What the tensor is made of, and how.
        source: Where the numbers are.
        stored: The tensors of the file, by name.

    Raises:
        ModelFileError: A file has become unreadable.
    """
    parts = list(_parts(target, source, stored))
    worst = max(parts, key=lambda part: part.worst)
    signal = sum(part.signal for part in parts)
    noise = sum(part.noise for part in parts)
    return Check(
        target.name,
        all(part.exact for part in parts),
        _short(math.sqrt(noise / signal) if signal else float(noise > 0)),
        _short(worst.worst),
        worst.group,
    )


def _short(number: float) -> float:
    """Few enough digits that every chip's last bits give the same."""
    return float(f"{number:.{DIGITS}g}") if math.isfinite(number) else math.inf


def _parts(target: Target, source: Source, stored: Mapping[str, TensorInfo]) -> Iterator[_Part]:
    start = 0
    for rows in target.chunks():
        stop = start + rows.stop - rows.start
        found = {
            tensor.name: read_rows(stored[tensor.name], start, stop) for tensor in target.stored
        }
        yield _compare(target, source.read(rows), found, start)
        start = stop


def _compare(target: Target, numbers: mx.array, found: dict[str, mx.array], start: int) -> _Part:
    """Rows of the source with what is stored of them, from row `start` of the target."""
    with mx.stream(mx.cpu):
        wanted = rounded(target, numbers)
        exact = all(_same_bits(found[name], array) for name, array in wanted.items())
    numbers = numbers.astype(mx.float32)
    error = restored(target, found) - numbers
    excess, group = _worst_group(target, numbers, error, exact=exact)
    return _Part(
        exact,
        _scalar(mx.square(error).sum()),
        _scalar(mx.square(numbers).sum()),
        excess,
        (start + group[0], group[1]),
    )


def _same_bits(first: mx.array, second: mx.array) -> bool:
    return first.dtype == second.dtype and bool(
        mx.array_equal(first.view(mx.uint8), second.view(mx.uint8)).item()
    )


def _worst_group(
    target: Target, numbers: mx.array, error: mx.array, *, exact: bool
) -> tuple[float, tuple[int, int]]:
    """The largest error relative to what is allowed, and the row and group where it is.

    What is not quantized must keep every bit.
    """
    if target.spec is None:
        return (0.0 if exact else math.inf), (int(_scalar(mx.abs(error).max(axis=-1).argmax())), 0)
    size = target.spec.group_size
    largest = mx.abs(error).reshape(-1, size).max(axis=-1)
    share = largest / allowed_error(numbers.reshape(-1, size), target.spec, target.dtype)
    share = mx.where(mx.isnan(share), math.inf, share)
    worst = int(_scalar(share.argmax()))
    return _scalar(share[worst]), divmod(worst, numbers.shape[-1] // size)


def _scalar(array: mx.array) -> float:
    return float(array.item().real)
