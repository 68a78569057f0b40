"""What the cache holds: the ids that a conversation's next prompt may share.

Knows ids and the cache that stands for them. Does not know messages or text.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import mlx.core as mx

from qwen3_mlx.generation.decode import advance, prefill
from qwen3_mlx.generation.steps import TokenStep
from qwen3_mlx.model.cache import make_cache, rewind, settle
from qwen3_mlx.model.qwen3 import Qwen3


class Prefix:
    """A cache together with the ids in it.

    The cache may for a moment hold more than `ids`, never less; the next prompt rewinds it. After
    `read`, `follow` or `extend` nothing of it is left to compute: another thread may go on.

    Attributes:
        ids: What the model has read, prompt and reply.
        used: How many they were in the last turn, whatever was read ahead since.
    """

    def __init__(self, model: Qwen3) -> None:
        self.ids: list[int] = []
        self.used = 0
        self.cache = make_cache(model.config)
        self._model = model

    def reuse(self, prompt: Sequence[int]) -> int:
        """Forget all but what `prompt` begins with too; returns how many ids that is.

        The last id of the prompt is never taken from the cache: its logits are needed.
        """
        shared = common_prefix(self.ids, prompt[:-1])
        self._keep(shared)
        return shared

    def read(
        self,
        prompt: Sequence[int],
        *,
        progress: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool],
    ) -> mx.array | None:
        """Let the model read the prompt after what is cached of it; see `decode.prefill`."""
        rest = prompt[len(self.ids) :]
        try:
            return prefill(self._model, rest, self.cache, progress=progress, cancelled=cancelled)
        finally:
            self.ids = list(prompt[: self.cache[0].offset])
            self._rest()

    def follow(self, steps: Generator[TokenStep, None, None]) -> Generator[TokenStep, None, None]:
        """The same steps, each noted."""
        try:
            for step in steps:
                self.ids.append(step.token)
                yield step
        finally:
            steps.close()
            self._rest()

    def extend(self, ids: Sequence[int]) -> None:
        """Hold `ids` and nothing else: forget what differs, let the model read what is missing.

        An error leaves nothing held.

        Args:
            ids: At least one of them is missing.
        """
        shared = common_prefix(self.ids, ids)
        self._keep(shared)
        try:
            advance(self._model, ids[shared:], self.cache)
            settle(self.cache)
        except BaseException:
            # Numbers that are still to be computed could only be computed in this thread.
            self._forget()
            raise
        self.ids = list(ids)

    def clear(self) -> None:
        """Forget everything, memory included."""
        self._forget()
        self.used = 0

    def _rest(self) -> None:
        """Note how far the turn has come, and leave nothing to compute.

        Where that fails, for want of memory or because the turn ran in another thread, nothing is
        held any more.
        """
        self.used = len(self.ids)
        try:
            settle(self.cache)
        except (RuntimeError, MemoryError):
            self._forget()

    def _forget(self) -> None:
        self.ids = []
        self.cache = make_cache(self._model.config)

    def _keep(self, length: int) -> None:
        rewind(self.cache, length)
        del self.ids[length:]


def common_prefix(first: Sequence[object], second: Sequence[object]) -> int:
    """How many ids, or whatever they are made of, both begin with."""
    pairs = zip(first, second, strict=False)
    return next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))
