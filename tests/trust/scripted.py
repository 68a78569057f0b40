"""A network that says at once what its prompt makes it say, and a loader of models with it.

Knows scripts. What it says is a function of all that it reads: who leaves anything out of a prompt
gets another reply. Around it stand the tokenizer, the template and the limits of a bundled model.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from zlib import crc32

import mlx.core as mx

from qwen3_mlx.errors import ModelNotFoundError, UsageError
from qwen3_mlx.loading import load
from qwen3_mlx.model.cache import LayerCache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.tokenizer import Tokenizer
from tests.runtime.conftest import Script, last_index
from tests.trust.chat_lines import ODD

SAID = [text for text in ODD if "<|" not in text]
NAMES = ("tiny", "tiny-dense")
LONGEST = 1024
"""Tokens of the widest context that there is."""

SURE = 1000.0
"""The logit of what it says: no penalty and no temperature makes anything else likely."""

CALL = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "2 + 3"}}\n</tool_call>'


class Fickle(Script):
    """Says something else after every other prompt.

    Attributes:
        interrupt: Called in some replies, at some token.
    """

    def __init__(self, config: Qwen3Config, tokenizer: Tokenizer) -> None:
        self._parts: dict[str, list[int]] = {"assistant\n": [], "\n\n": []}
        super().__init__(config, tokenizer)
        self.interrupt: Callable[[], None] = lambda: None
        self._prompt = -1
        self._pressed_at: int | None = None

    def last_logits(self, ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        return SURE / 10 * super().last_logits(ids, cache)

    def _next(self) -> int:
        start = last_index(self.read, self._tokenizer.control.im_start)
        prompt = crc32(array("I", self.read[:start]).tobytes())
        if prompt != self._prompt:
            self._prompt = prompt
            self._decide(Random(prompt))
        if len(self.read) - start == self._pressed_at:
            self.interrupt()
        return super()._next()

    def _ids(self, text: str) -> list[int]:
        """What is asked for at every token is encoded once."""
        if text not in self._parts:
            return super()._ids(text)
        if not self._parts[text]:
            self._parts[text] = super()._ids(text)
        return self._parts[text]

    def _decide(self, random: Random) -> None:
        thoughts = " ".join(
            random.choice((*SAID, "so", "then")) for _ in range(random.randint(0, 8))
        )
        said = random.choice((*SAID, "It is five.", "It is five.\n\nOr six.", "", CALL))
        self.tell(thoughts, said)
        self._pressed_at = random.randint(3, 25) if random.random() < 0.04 else None


class Loader:
    """Stands in for `qwen3_mlx.load`.

    Args:
        interrupt: For the networks.
    """

    def __init__(self, interrupt: Callable[[], None]) -> None:
        self._interrupt = interrupt
        self._loaded: dict[str, LLM] = {}

    def load(self, name: str, *, context: int, **_wishes: object) -> LLM:
        """One of two models.

        Raises:
            ModelNotFoundError: it is neither.
            UsageError: the context is too long.
        """
        if name not in NAMES:
            raise ModelNotFoundError(f"there is no model called {name!r}")
        if context > LONGEST:
            raise UsageError(f"a context of {context} tokens is too long for this model")
        if name not in self._loaded:
            self._loaded[name] = self._make(name)
        return replace(self._loaded[name], context_length=context)

    def _make(self, name: str) -> LLM:
        llm = load(name)
        network = Fickle(llm.config, llm.tokenizer)
        network.interrupt = self._interrupt
        return replace(llm, model=network)
