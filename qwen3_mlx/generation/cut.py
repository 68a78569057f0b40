"""One reply thought out, and those of smaller budgets cut from it.

Replies to one prompt are the same, token for token, up to where a budget ends the thoughts. So the
one with the largest budget is made once, and each of the others goes on from inside of it, on what
the model has read by then: it costs the stop instruction and its own answer.

Knows the model, rows and their caches. Does not know which budgets are tried, nor what for.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import mlx.core as mx

from qwen3_mlx.events import Done, Reply
from qwen3_mlx.generation.batch import Batch, IndexedEvents
from qwen3_mlx.generation.batch_row import Row
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.traced_row import TracedRow
from qwen3_mlx.model.batch_cache import BatchCache, side_by_side


@dataclass(frozen=True, slots=True)
class CutReply:
    """One reply of a `CuttingBatch`.

    Attributes:
        index: Of the request.
        place: 0 for the whole reply, from 1 on for those cut from it, in the order of `shorter`.
        reply: As `LLM.generate` gives it, but for its `timing`.
        seconds: What it would have cost alone: those of the whole reply up to the cut, and its own
            after it. A pass over several rows counts for each of them in equal parts.
    """

    index: int
    place: int
    reply: Reply
    seconds: float


class CuttingBatch(Batch):
    """Requests being answered together, each also with smaller budgets.

    Args:
        requests: One or more.
        shorter: For each of them others that differ from it in a smaller budget above 0 alone.
        size: Rows at most at a time.

    Raises:
        UsageError, ModelTooLargeError: as for `Batch`.
    """

    def __init__(
        self,
        engine: Engine,
        requests: Sequence[Request],
        shorter: Sequence[Sequence[Request]],
        size: int,
    ) -> None:
        self._shorter = shorter
        self._places: list[tuple[int, int]] = []
        self._traced: dict[int, TracedRow] = {}
        self._trunks: dict[int, tuple[BatchCache, int]] = {}
        self._branches: deque[TracedRow] = deque()
        self._ended: deque[TracedRow] = deque()
        super().__init__(engine, requests, size)
        self._places = [(index, 0) for index in range(len(requests))]

    def replies(self) -> Iterator[CutReply]:
        """All replies, each when it is there; those cut from another one come after it."""
        for index, event in self.events():
            if isinstance(event, Done):
                seconds = self._traced.pop(index).seconds
                yield CutReply(*self._places[index], event.reply, seconds)

    @property
    def _unfinished(self) -> bool:
        return super()._unfinished or bool(self._branches)

    def _row(self, request: Request, index: int) -> TracedRow:
        row = TracedRow(self._engine, request, self._nothing, index)
        self._traced[index] = row
        return row

    def _let_in(self) -> IndexedEvents:
        yield from super()._let_in()
        while self._ended:
            row = self._ended.popleft()
            yield row.index, Done(row.reply())

    def _next(self, room: int) -> list[list[Row]]:
        """Those that go on after what was read come first: they keep it in memory."""
        joining: list[Row] = []
        while self._branches and len(joining) < room:
            joining.append(self._branches.popleft())
        groups = super()._next(room - len(joining))
        return [joining, *groups] if joining else groups

    def _read(self, group: Sequence[Row]) -> tuple[mx.array, BatchCache]:
        with self._costing(group):
            return self._read_on(group) if group[0].feed else super()._read(group)

    def _read_on(self, group: Sequence[Row]) -> tuple[mx.array, BatchCache]:
        """Read the stop instruction of rows that go on after what was read before."""
        trunks = [self._trunks.pop(row.index) for row in group]
        cache = side_by_side([(trunk.beginning(0, held), 0) for trunk, held in trunks])
        instructions = mx.array([list(row.feed) for row in group])
        for row in group:
            row.feed.clear()
        logits = self._model.last_logits(instructions, cache.layers)
        mx.eval(logits)
        return logits, cache

    def _leave(self, row: Row, cache: BatchCache, place: int) -> None:
        index, cut = self._places[row.index]
        if cut or not isinstance(row, TracedRow):
            return
        rows = [self._cut(index, number) for number in range(1, len(self._shorter[index]) + 1)]
        shared = [(cut_row, cut_row.retrace(row)) for cut_row in rows]
        self._ended.extend(cut_row for cut_row, held in shared if held is None)
        going_on = [(cut_row, held) for cut_row, held in shared if held is not None]
        if going_on:
            trunk = cache.beginning(place, max(held for _, held in going_on))
            self._trunks |= {cut_row.index: (trunk, held) for cut_row, held in going_on}
            self._branches.extend(cut_row for cut_row, _ in going_on)

    def _cut(self, index: int, place: int) -> TracedRow:
        self._places.append((index, place))
        return self._row(self._shorter[index][place - 1], len(self._places) - 1)

    def _step(self, cache: BatchCache) -> IndexedEvents:
        """As in :class:`Batch`; whoever gets the events does not count."""
        with self._costing(list(self._rows)):
            events = list(super()._step(cache))
        yield from events

    @contextmanager
    def _costing(self, rows: Sequence[Row]) -> Iterator[None]:
        """What happens meanwhile is paid for by these rows, in equal parts."""
        begun = self._engine.clock()
        yield
        share = (self._engine.clock() - begun) / len(rows)
        for row in rows:
            self._traced[row.index].seconds += share
