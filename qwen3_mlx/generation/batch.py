"""Several conversations decoded together: they join and leave while the others go on.

Knows the model, rows and their common cache. Does not know thoughts, text or messages.

A step reads one token of each row: the one it chose last, or the next of those forced on it, so
that a stop instruction in one row holds no other up. When a reply ends, the next prompt that waits
takes its place.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import mlx.core as mx

from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import Event
from qwen3_mlx.generation.batch_limits import check_batch, check_fits
from qwen3_mlx.generation.batch_prefill import alike, prefill_together
from qwen3_mlx.generation.batch_row import Row
from qwen3_mlx.generation.batch_sampling import choose
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.model.batch_cache import BatchCache, side_by_side

BATCH_SIZE = 8

Seated: TypeAlias = tuple[BatchCache, list[Row]]
"""A cache, and the rows whose tokens it holds, in order."""

IndexedEvents: TypeAlias = Generator[tuple[int, Event], None, None]
"""Events, each with the number of the request that it belongs to."""


class Batch:
    """Requests being answered together.

    Args:
        requests: One or more.
        size: Rows at most at a time.

    Raises:
        UsageError: a size below 1, or, with the request's number, see `Answering`.
        ModelTooLargeError: so many rows do not fit into this machine's memory.
    """

    def __init__(self, engine: Engine, requests: Sequence[Request], size: int) -> None:
        check_batch(engine.model, size)
        self._engine = engine
        self._nothing = Prefix(engine.model)
        self._model = engine.model
        self._chunk = engine.prefill_chunk
        self._size = size
        self._waiting: deque[Row] = deque()
        self._rows: list[Row] = []
        self._cache: BatchCache | None = None
        for index, request in enumerate(requests):
            with naming(index):
                self._waiting.append(self._row(request, index))
        longest = max(row.longest for row in self._waiting)
        check_fits(engine.model, min(size, len(self._waiting)), longest, self._chunk)

    def events(self) -> IndexedEvents:
        """All events of all replies, those of one reply in order."""
        while self._unfinished:
            yield from self._let_in()
            if self._cache is not None:
                yield from self._step(self._cache)

    @property
    def _unfinished(self) -> bool:
        return bool(self._waiting or self._rows)

    def _let_in(self) -> IndexedEvents:
        """Read the prompts that there is room for; those who have ended make room first."""
        arrived: list[Seated] = []
        for group in self._next(self._size - sum(not row.over for row in self._rows)):
            logits, cache = self._read(group)
            arrived.append((cache, group))
            yield from self._hand_out(group, logits)
        self._seat(arrived)

    def _row(self, request: Request, index: int) -> Row:
        return Row(self._engine, request, self._nothing, index)

    def _next(self, room: int) -> list[list[Row]]:
        """The rows that join now, `room` at most, in the groups in which their prompts are read."""
        joining = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
        groups = alike([len(row.prompt) for row in joining])
        return [[joining[place] for place in group] for group in groups]

    def _read(self, group: Sequence[Row]) -> tuple[mx.array, BatchCache]:
        for row in group:
            row.begin()
        prompts = [row.prompt for row in group]
        logits, cache = prefill_together(self._model, prompts, chunk=self._chunk)
        for row in group:
            row.begun()
        return logits, cache

    def _seat(self, arrived: Sequence[Seated]) -> None:
        """Those who have ended leave the cache, and those who have arrived join it."""
        if not arrived and not any(row.over for row in self._rows):
            return
        seated = [] if self._cache is None else [(self._cache, self._rows)]
        staying = []
        for cache, rows in (*seated, *arrived):
            for place, row in enumerate(rows):
                if row.over:
                    self._leave(row, cache, place)
                else:
                    staying.append((cache, place, row))
        self._rows = [row for _, _, row in staying]
        places = [(cache, place) for cache, place, _ in staying]
        self._cache = side_by_side(places) if places else None

    def _leave(self, row: Row, cache: BatchCache, place: int) -> None:
        """A row has ended; its tokens are in that place of the cache, which it now leaves."""

    def _step(self, cache: BatchCache) -> IndexedEvents:
        """Let the model read one token of each row, or as many as are forced on every row."""
        width = min(len(row.feed) for row in self._rows)
        tokens = mx.array([[row.feed.popleft() for _ in range(width)] for row in self._rows])
        yield from self._hand_out(self._rows, self._model.last_logits(tokens, cache.layers))

    def _hand_out(self, rows: Sequence[Row], logits: mx.array) -> IndexedEvents:
        """Choose from logits [B, V] the next token of each row that has none to read."""
        places = [place for place, row in enumerate(rows) if not row.feed]
        if len(places) < len(rows):
            logits = logits[mx.array(places)]
        asking = [rows[place] for place in places]
        for row, token in zip(asking, choose(logits, [row.chooser for row in asking]), strict=True):
            for event in row.take(token):
                yield row.index, event


@contextmanager
def naming(index: int) -> Iterator[None]:
    """Say of what is wrong with a request which one it is."""
    try:
        yield
    except UsageError as error:
        raise type(error)(f"prompts[{index}]: {error.message}", hint=error.hint) from error
