"""Runs on a clock of our own: what is timed, in which order, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import mlx.core as mx
import pytest

from qwen3_mlx.measure import (
    Again,
    Figures,
    Plan,
    Round,
    Sample,
    Spread,
    Turn,
    rows,
    steps,
)
from qwen3_mlx.measure.samples import take_sample

ONE_MB = 2**20


class Clock:
    """Each look at it takes what the list says."""

    def __init__(self, *moments: float) -> None:
        self._moments = iter(moments)

    def __call__(self) -> float:
        return next(self._moments)


def three(ids: Sequence[int], tokens: int) -> Iterator[int]:
    yield from [7, 8, 9][:tokens]


def test_a_run_is_timed_to_the_first_token_and_to_the_last() -> None:
    """100 ids in 2 s: 50 a second; two more tokens in 0.5 s: 4 a second."""
    clock = Clock(10.0, 12.0, 12.1, 12.5)
    sample = take_sample(three, range(100), 3, clock=clock, held=None)
    assert sample == Sample(100, 3, 2.0, 0.5, None, (7, 8, 9))
    assert (sample.prefill_rate, sample.decode_rate) == (50, 4)


def test_nothing_in_no_time_is_no_speed() -> None:
    sample = take_sample(lambda *_: (), range(100), 3, clock=Clock(1.0), held=None)
    assert (sample.tokens, sample.prefill_rate, sample.decode_rate) == (0, 0, 0)


def test_memory_is_what_is_held_and_what_is_added() -> None:
    """Whatever else is there, here 8 MB, is not counted."""
    others = mx.arange(2 * ONE_MB, dtype=mx.float32)
    mx.eval(others)

    def hungry(ids: Sequence[int], tokens: int) -> Iterator[int]:
        mx.eval(mx.arange(ONE_MB, dtype=mx.float32))
        yield 1

    sample = take_sample(hungry, [1], 1, clock=lambda: 0.0, held=1_000_000)
    assert sample.peak_memory_bytes == pytest.approx(1_000_000 + 4 * ONE_MB, rel=0.01)
    assert others.size == 2 * ONE_MB


class Noting:
    """A runner that writes down what it is asked."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self.name = name
        self._notes = notes

    def run(self, length: int, tokens: int) -> Sample:
        self._notes.append(f"{self.name} {length} {tokens}")
        return Sample(length, tokens, 1.0, 1.0)

    def next_turn(self, length: int) -> Turn:
        self._notes.append(f"turn {length}")
        return Turn(0.1, length, length + 9)

    def forget(self) -> None:
        self._notes.append("forget")


def test_all_take_turns_and_second_questions_come_last() -> None:
    notes: list[str] = []
    ours, peer = Noting("ours", notes), Noting("peer", notes)
    found = list(steps(ours, [peer], Plan((10, 20), 5, 1)))
    assert notes == [
        *["ours 10 5", "peer 10 5"] * 2,
        *["turn 10"] * 2,
        "forget",
        *["ours 20 5", "peer 20 5"] * 2,
        *["turn 20"] * 2,
        "forget",
    ]
    assert [step.counts for step in found] == [False, True] * 4
    assert len(found) == Plan((10, 20), 5, 1).steps


def test_a_stop_in_second_questions_forgets_too() -> None:
    notes: list[str] = []
    going = steps(Noting("ours", notes), [], Plan((10,), 5, 1))
    for _ in range(3):
        next(going)
    going.close()  # type: ignore[attr-defined]
    assert notes[-2:] == ["turn 10", "forget"]


def sample(first: float, rest: float, ids: tuple[int, ...] = (1,), **more: int) -> Sample:
    """100 ids in, 11 tokens out."""
    return Sample(100, 11, first, rest, ids=ids, **more)


def test_medians_are_those_of_the_runs_that_count() -> None:
    """10, 20 and 40 tokens a second in; 5, 10 and 2 out; the first run is not in it."""
    ours = [(99, 99), (10, 2), (5, 1), (2.5, 5)]
    found = [
        Round(100, number > 0, {"ours": sample(*times, peak_memory_bytes=number)})
        for number, times in enumerate(ours)
    ]
    turns = [Again(100, number > 0, Turn(t, 90, 99)) for number, t in enumerate([9, 0.3, 0.1, 0.2])]
    (row,) = rows([*found, *turns])
    assert (row.length, row.rounds, row.turns) == (100, 3, 3)
    assert row.figures["ours"] == Figures(
        prefill=Spread((10, 20, 40)),
        decode=Spread((5, 10, 2)),
        first_token=Spread((10, 5, 2.5)),
        peak_memory_bytes=3,
        tokens=11,
        drafted=0,
        accepted=0,
        ids=(1,),
    )
    decode = row.figures["ours"].decode
    assert (decode.median, decode.least, decode.most) == (5, 2, 10)
    assert (row.next_turn, row.last_turn) == (Spread((0.3, 0.1, 0.2)), Turn(0.2, 90, 99))


def test_guesses_are_added_up() -> None:
    found = [Round(1, True, {"ours": sample(1, 1, drafted=4, accepted=n)}) for n in (1, 3)]
    figures = rows(found)[0].figures["ours"]
    assert (figures.drafted, figures.accepted) == (8, 4)


@pytest.mark.parametrize(
    ("ours", "peer", "same"),
    [
        (((1, 2), (1, 2)), ((1, 2), (1, 2)), True),
        (((1, 2), (1, 2)), ((1, 3), (1, 3)), False),
        (((1, 2), (2, 1)), ((1, 2), (1, 2)), None),  # not even the same as before
        (((), ()), ((1, 2), (1, 2)), None),
    ],
)
def test_whether_both_said_the_same(
    ours: Sequence[tuple[int, ...]], peer: Sequence[tuple[int, ...]], same: bool | None
) -> None:
    """The peer reads at half and writes at a quarter of our speed."""
    found = [
        Round(1, True, {"ours": sample(1, 1, one), "peer": sample(2, 4, other)})
        for one, other in zip(ours, peer, strict=True)
    ]
    (row,) = rows(found)
    assert row.same_ids("ours", "peer") is same
    assert row.ratio(lambda figures: figures.prefill, "ours", "peer") == Spread((2, 2))
    assert row.ratio(lambda figures: figures.decode, "ours", "peer") == Spread((4, 4))


def test_a_ratio_is_that_of_each_round() -> None:
    """A machine that is slowed to a third for one round of three changes no ratio."""
    found = [
        Round(1, True, {"ours": sample(slow, slow), "peer": sample(2 * slow, 2 * slow)})
        for slow in (1, 3, 1)
    ]
    ratio = rows(found)[0].ratio(lambda figures: figures.prefill, "ours", "peer")
    assert ratio == Spread((2, 2, 2))


def test_no_ratio_to_no_speed() -> None:
    (row,) = rows([Round(1, True, {"ours": sample(1, 1), "peer": sample(1, 0)})])
    assert row.ratio(lambda figures: figures.decode, "ours", "peer") is None


def test_a_length_without_a_run_that_counts_has_no_row() -> None:
    warm = Round(200, False, {"ours": sample(1, 1)})
    assert [row.length for row in rows([Round(100, True, {"ours": sample(1, 1)}), warm])] == [100]
    assert rows([]) == []
