"""What the cache holds: the ids that a conversation's next prompt may share.

Knows ids and the cache that stands for them. Does not know messages or text.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence

import mlx.core as mx

from qwen3_mlx.checkpoint.prompt_store import PromptStore
from qwen3_mlx.generation.decode import advance, prefill
from qwen3_mlx.generation.drafting import Drafter
from qwen3_mlx.generation.shared import common_prefix
from qwen3_mlx.generation.steps import TokenStep
from qwen3_mlx.model.cache import KVCache, rewind, settle
from qwen3_mlx.model.qwen3 import Qwen3


class Prefix:
    """A cache together with the ids in it.

    The cache may for a moment hold more than `ids`, never less; the next prompt rewinds it. After
    `read`, `follow` or `extend` nothing of it is left to compute: another thread may go on.

    Args:
        model: What reads.
        store: What it has read before in other processes; None: nothing is saved or looked for.

    Attributes:
        ids: What the model has read, prompt and reply.
        drafter: Who guesses in this conversation; made when the first reply is.
        used: How many they were in the last turn, whatever was read ahead since.
    """

    def __init__(self, model: Qwen3, store: PromptStore | None = None) -> None:
        self.ids: list[int] = []
        self.used = 0
        self.drafter: Drafter | None = None
        self.cache = model.make_cache()
        self._model = model
        # Only of plain caches is known what a token leaves in them.
        self._store = store if all(type(layer) is KVCache for layer in self.cache) else None

    def reuse(self, prompt: Sequence[int]) -> int:
        """Forget all but what `prompt` begins with too; returns how many ids that is.

        The last id of the prompt is never taken from the cache: its logits are needed.
        """
        return self.recall(prompt[:-1])

    def recall(self, ids: Sequence[int]) -> int:
        """Hold what was read of `ids`, also by other processes, and forget all else.

        An error leaves nothing held.

        Returns:
            How many of the ids are held.
        """
        self._keep(common_prefix(self.ids, ids))
        if self._store is not None:
            try:
                self._load(self._store, ids)
            except BaseException:
                self._forget()
                raise
        return len(self.ids)

    def save(self, most: int | None = None) -> None:
        """Begin to save what is held for other processes, or the first `most` ids of it."""
        ids = self.ids[:most]
        if self._store is not None and ids:
            self._store.save(ids, [layer.state for layer in self.cache])

    def read(
        self,
        prompt: Sequence[int],
        *,
        chunk: int,
        progress: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool],
    ) -> mx.array | None:
        """Let the model read the prompt after what is cached of it; see `decode.prefill`."""
        rest = prompt[len(self.ids) :]
        try:
            return prefill(
                self._model,
                rest,
                self.cache,
                chunk=chunk,
                progress=progress,
                cancelled=cancelled,
            )
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
        self._keep(common_prefix(self.ids, ids))
        try:
            advance(self._model, ids[len(self.ids) :], self.cache)
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

        Where that fails, for want of memory, because the turn ran in another thread, or because
        Ctrl-C lost a part of the cache, nothing is held any more.
        """
        self.used = len(self.ids)
        try:
            settle(self.cache)
        except (RuntimeError, MemoryError):
            self._forget()

    def _forget(self) -> None:
        self.ids = []
        self.cache = self._model.make_cache()

    def _load(self, store: PromptStore, ids: Sequence[int]) -> None:
        for block in store.find(ids, len(self.ids)):
            for layer, state in zip(self.cache, block.states, strict=True):
                layer.take_over(state)
            settle(self.cache)
            self.ids += block.ids

    def _keep(self, length: int) -> None:
        """Hold the first `length` ids alone, or nothing where the cache cannot go back so far."""
        if self._store is not None:
            self._store.wait()  # or what comes next would be written into a copy of the cache
        if not all(layer.can_rewind(length) and not layer.lost for layer in self.cache):
            self._forget()
            return
        del self.ids[length:]  # first: Ctrl-C in between must not leave ids that are not there
        rewind(self.cache, length)
