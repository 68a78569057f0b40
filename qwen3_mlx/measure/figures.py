"""What the runs came to: medians, with the least and the most.

Knows numbers. Does not know how they were measured or how they look.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from qwen3_mlx.measure.rounds import Again, Round, Step, Turn
from qwen3_mlx.measure.samples import Sample


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure that was measured several times.

    Attributes:
        numbers: What it was, in order; at least one.
    """

    numbers: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of them are not less, half not more."""
        return median(self.numbers)

    @property
    def least(self) -> float:
        """The smallest."""
        return min(self.numbers)

    @property
    def most(self) -> float:
        """The largest."""
        return max(self.numbers)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one runner came to at one length.

    Attributes:
        prefill: Tokens of the prompt a second.
        decode: Tokens a second after the first.
        first_token: Seconds to the first token, with nothing cached.
        peak_memory_bytes: The most of all runs; None where nobody sees it.
        tokens: Generated in a run; the fewest.
        drafted: Guesses, all runs together.
        accepted: Those that were right.
        ids: That were generated; empty if they differ from run to run.
    """

    prefill: Spread
    decode: Spread
    first_token: Spread
    peak_memory_bytes: int | None
    tokens: int
    drafted: int
    accepted: int
    ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """What one length came to.

    Attributes:
        length: Tokens of the prompt.
        rounds: That counted.
        figures: By the names of the runners.
        turns: Second questions that counted.
        next_turn: Seconds to the first token of those; None if there are none.
        last_turn: The last of them.
    """

    length: int
    rounds: int
    figures: Mapping[str, Figures]
    turns: int
    next_turn: Spread | None
    last_turn: Turn | None

    def ratio(self, of: Callable[[Figures], Spread], ours: str, peer: str) -> Spread | None:
        """How many times the peer's figure ours was in each round; None where the peer's is 0.

        Those of one round were measured one after the other, so what slows the machine for longer
        than a round does not count.
        """
        own, theirs = of(self.figures[ours]).numbers, of(self.figures[peer]).numbers
        if not all(theirs):
            return None
        return Spread(tuple(a / b for a, b in zip(own, theirs, strict=True)))

    def same_ids(self, one: str, other: str) -> bool | None:
        """Whether both said the same; None where that is not known."""
        ids = self.figures[one].ids, self.figures[other].ids
        return ids[0] == ids[1] if all(ids) else None


def rows(steps: Iterable[Step]) -> list[Row]:
    """A row for each length with a round that counts, in the order of the steps."""
    counted = [step for step in steps if step.counts]
    lengths = dict.fromkeys(step.length for step in counted)
    return [_row(length, [step for step in counted if step.length == length]) for length in lengths]


def _row(length: int, steps: Sequence[Step]) -> Row:
    rounds = [step.samples for step in steps if isinstance(step, Round)]
    turns = [step.turn for step in steps if isinstance(step, Again)]
    return Row(
        length=length,
        rounds=len(rounds),
        figures={name: _figures([samples[name] for samples in rounds]) for name in rounds[0]},
        turns=len(turns),
        next_turn=Spread(tuple(t.first_token_seconds for t in turns)) if turns else None,
        last_turn=turns[-1] if turns else None,
    )


def _figures(samples: Sequence[Sample]) -> Figures:
    peaks = [s.peak_memory_bytes for s in samples if s.peak_memory_bytes is not None]
    said = {sample.ids for sample in samples}
    return Figures(
        prefill=Spread(tuple(sample.prefill_rate for sample in samples)),
        decode=Spread(tuple(sample.decode_rate for sample in samples)),
        first_token=Spread(tuple(sample.first_token_seconds for sample in samples)),
        peak_memory_bytes=max(peaks, default=None),
        tokens=min(sample.tokens for sample in samples),
        drafted=sum(sample.drafted for sample in samples),
        accepted=sum(sample.accepted for sample in samples),
        ids=said.pop() if len(said) == 1 else (),
    )
