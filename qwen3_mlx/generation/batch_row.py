"""One conversation of a batch: what it is fed next, and what its tokens come to.

Knows one request and its turn. Does not know the other rows, nor the model.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence

from qwen3_mlx.events import Done, Event
from qwen3_mlx.generation.batch_sampling import Chooser
from qwen3_mlx.generation.engine import Answering, Engine
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.steps import Part, TokenStep, Verdict
from qwen3_mlx.memory import USUAL_CONTEXT


class Row(Answering):
    """A request whose tokens are handed to it, one at a time.

    Args:
        index: Which request it is.
        prefix: Stays empty: what the model has read is in the batch's cache.

    Raises:
        UsageError: see `Answering`.

    Attributes:
        chooser: Of its tokens.
        feed: What the model is to read next; more than one id when some are forced.
        over: Whether the reply has ended.
    """

    def __init__(self, engine: Engine, request: Request, prefix: Prefix, index: int) -> None:
        super().__init__(engine, request, prefix)
        self.index = index
        state = self._sampler.start(self.prompt, engine.model.config.vocab_size)
        self.chooser = Chooser(self._sampler, state)
        self.feed: deque[int] = deque()
        self.over = False

    @property
    def prompt(self) -> list[int]:
        """Its ids."""
        return self._prompt.ids

    @property
    def longest(self) -> int:
        """Tokens of prompt and reply that there may have to be room for."""
        reply = self._request.max_tokens or USUAL_CONTEXT
        return len(self.prompt) + min(self._prompt.context_left, reply)

    def begin(self) -> None:
        """The model starts to read the prompt."""
        self._watch.prefill_begins()

    def begun(self) -> None:
        """The model has read the prompt."""
        self._watch.prefilled(len(self.prompt))

    def take(self, token: int) -> Iterator[Event]:
        """The events of a chosen token, and of what must follow it; the last one is `Done`."""
        verdict = self.judge(token)
        steps = steps_of(token, verdict)
        for step in steps:
            yield from self.turn.take(step)
        if verdict.last:
            yield from self._conclude()
            return
        self.feed.extend(step.token for step in steps)
        self.chooser.record(self.feed)

    def judge(self, token: int) -> Verdict:
        """What a chosen token is, and what must follow it."""
        return self.turn.judge(token)

    def _conclude(self) -> Iterator[Event]:
        self.over = True
        yield from self.turn.end()
        yield Done(self.reply())


def steps_of(token: int, verdict: Verdict) -> Sequence[TokenStep]:
    """What becomes part of the reply with a chosen token: itself if it stays, and what follows."""
    steps = [] if verdict.part is Part.DROPPED else [TokenStep(token, verdict.part)]
    if not verdict.last:
        steps += [TokenStep(injected, Part.INJECTED) for injected in verdict.inject]
    return steps
