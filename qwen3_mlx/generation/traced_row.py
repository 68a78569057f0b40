"""A conversation of a batch that can be gone through again, with a smaller budget.

Knows which tokens were chosen, and at which of them another budget would have ended the thoughts.
Does not know the cache, nor the other rows.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace

import mlx.core as mx

from qwen3_mlx.generation.batch_row import Row, steps_of
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.steps import TokenStep, Verdict


@dataclass(frozen=True, slots=True)
class Chosen:
    """One token that a row chose.

    Attributes:
        token: Its id.
        verdict: What was made of it.
        key: Where the random numbers after it come from.
        seconds: What the row had cost when the pass that it was chosen from began.
    """

    token: int
    verdict: Verdict
    key: mx.array
    seconds: float


class TracedRow(Row):
    """A request whose tokens are noted.

    Args:
        index: Which request it is.
        prefix: Stays empty.

    Raises:
        UsageError: see `Answering`.

    Attributes:
        trace: Its tokens so far.
        seconds: What it has cost so far; whoever runs the model adds to it.
    """

    def __init__(self, engine: Engine, request: Request, prefix: Prefix, index: int) -> None:
        super().__init__(engine, request, prefix, index)
        self.trace: list[Chosen] = []
        self.seconds = 0.0

    def judge(self, token: int) -> Verdict:
        """As :meth:`Row.judge`; notes the token."""
        verdict = super().judge(token)
        self.trace.append(Chosen(token, verdict, self.chooser.state.key, self.seconds))
        return verdict

    def retrace(self, other: TracedRow) -> int | None:
        """Go the way of a row that has ended, as far as this one's budget allows.

        Args:
            other: Has the same prompt and sampling, and was allowed at least as many thoughts.

        Returns:
            How many tokens of prompt and reply the two share; what follows is in `feed`. None: all
            of them, and this row has ended too.
        """
        said: list[TokenStep] = []
        for count, chosen in enumerate(other.trace, 1):
            verdict = self.turn.judge(chosen.token)
            steps = steps_of(chosen.token, verdict)
            for step in steps:
                _exhaust(self.turn.take(step))
            said += steps
            if verdict != chosen.verdict:
                self.seconds = other._seconds_after(count)
                self._go_on(said, verdict, chosen.key)
                return len(self.prompt) + len(said) - len(verdict.inject)
        _exhaust(self.turn.end())
        self.over, self.seconds = True, other.seconds
        return None

    def _seconds_after(self, count: int) -> float:
        """What the first `count` tokens had cost."""
        return self.trace[count].seconds if count < len(self.trace) else self.seconds

    def _go_on(self, said: list[TokenStep], verdict: Verdict, key: mx.array) -> None:
        """Choose the coming tokens as if all those said had been chosen here."""
        self.chooser.record([step.token for step in said])
        self.chooser.state = replace(self.chooser.state, key=key)
        self.feed.extend(verdict.inject)


def _exhaust(events: Iterable[object]) -> None:
    deque(events, maxlen=0)
