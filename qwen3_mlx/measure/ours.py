"""Our own runs, on the paths that a person uses: raw ids, replies, and turns of a conversation.

Knows a loaded model. Does not know who is measured beside it.
"""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import mlx.core as mx

from qwen3_mlx.errors import ModelTooLargeError
from qwen3_mlx.measure.prompts import prompt_ids
from qwen3_mlx.measure.rounds import Turn
from qwen3_mlx.measure.samples import Peak, Sample, take_sample
from qwen3_mlx.memory import cache_bytes, free_memory, shown_bytes
from qwen3_mlx.model.cache import KVCache

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.runtime import LLM

OURS = "qwen3-mlx"
QUESTIONS = ("2 + 3 = ?", "5 + 4 = ?")
"""Second questions, in turn: the cache holds nothing of one when the other comes."""

DRAFTED_QUESTION = "What is this list about? Describe it in a few sentences."
FORMAT = 32
"""About so many tokens are the format of a message and, where there is one, the question in it."""


class Ours:
    """A loaded model, as a runner.

    Ids are continued as they are and greedily, so that every reply is as long as asked for. A model
    that guesses ahead does so in replies alone: then it gets the prompt as a message, and its reply
    ends where it wants to.

    Args:
        llm: The model.
        held: Bytes that it takes of MLX's memory (see `Holding`).
    """

    name = OURS

    def __init__(self, llm: LLM, held: int) -> None:
        self._llm = llm
        self._held = held
        self._talk: Conversation | None = None
        self._questions = cycle(QUESTIONS)

    @property
    def dtype(self) -> str:
        """What it computes in."""
        return str(self._dtype).removeprefix("mlx.core.")

    @property
    def _dtype(self) -> mx.Dtype:
        return self._llm.model.model.norm.weight.dtype

    def check_room(self, tokens: int) -> None:
        """Refuse a prompt and reply whose keys and values do not fit beside the model.

        Where they are rounded or forgotten on the way, nothing is refused.

        Raises:
            ModelTooLargeError: with the numbers.
        """
        config = self._llm.config
        needed = cache_bytes(
            layers=config.num_hidden_layers,
            kv_heads=config.num_key_value_heads,
            head_dim=config.head_dim,
            tokens=tokens,
            item_bytes=self._dtype.size,
        )
        free = free_memory()
        if self._llm.model.layer_cache is KVCache and needed > free:
            raise ModelTooLargeError(
                f"{tokens} tokens need {shown_bytes(needed)} for their keys and values, and"
                f" {shown_bytes(free)} are left beside the model",
                hint="Give shorter --prompt-tokens, or --kv-bits 8.",
            )

    def run(self, length: int, tokens: int) -> Sample:
        """As :meth:`Runner.run`."""
        if self._llm.drafting is not None:
            return self._reply(length, tokens)
        ids = prompt_ids(self._llm.tokenizer, length)
        clock = self._llm.clock
        return take_sample(self._llm.stream_ids, ids, tokens, clock=clock, held=self._held)

    def next_turn(self, length: int) -> Turn:
        """As :meth:`Talker.next_turn`; reading ahead, as a chat does, is not in the time."""
        if self._talk is None:
            self._talk = self._llm.chat(thinking=False, max_tokens=1, temp=0.0)
        self._talk.messages = [
            {"role": "user", "content": self._text(length)},
            {"role": "assistant", "content": "Yes."},
        ]
        self._talk.read_ahead()
        reply = self._talk.send(next(self._questions))
        usage = reply.usage
        return Turn(reply.timing.first_token_seconds, usage.cached_tokens, usage.prompt_tokens)

    def forget(self) -> None:
        """As :meth:`Talker.forget`."""
        if self._talk is not None:
            self._talk.clear()
            self._talk = None

    def _reply(self, length: int, tokens: int) -> Sample:
        message = f"{self._text(length)}\n\n{DRAFTED_QUESTION}"
        peak = Peak(self._held)
        reply = self._llm.generate(message, thinking=False, max_tokens=tokens, temp=0.0)
        return Sample(
            prompt_tokens=reply.usage.prompt_tokens,
            tokens=reply.usage.answer_tokens,
            first_token_seconds=reply.timing.first_token_seconds,
            decode_seconds=reply.timing.decode_seconds,
            peak_memory_bytes=peak.bytes(),
            drafted=reply.usage.drafted_tokens,
            accepted=reply.usage.accepted_tokens,
        )

    def _text(self, length: int) -> str:
        """Text that makes a message of about so many tokens."""
        tokenizer = self._llm.tokenizer
        return tokenizer.decode(prompt_ids(tokenizer, max(1, length - FORMAT)))
