"""What a budget that sets itself can see of a model in the middle of a reply.

Knows the cache, the loop and the words that end the thinking. Does not decide anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

import mlx.core as mx

from qwen3_mlx.generation.auto import Forced
from qwen3_mlx.generation.decode import StepByStep
from qwen3_mlx.generation.probe import Probe
from qwen3_mlx.text.backend import END_THINK, THINK
from qwen3_mlx.text.pieces import Control, Text
from qwen3_mlx.text.renderer import Block
from qwen3_mlx.text.tokenizer import Tokenizer

SENTENCE_ENDS = (".", "!", "?", "。", "！", "？", "\n")


@dataclass(slots=True)
class Sight:
    """Implements :class:`~qwen3_mlx.generation.auto.Eyes`.

    Attributes:
        probe: Looks at answers.
        tokenizer: Of the model.
        instruction: Words that end the thinking.
        lead: What is put before an answer that is only looked at.
        decoding: The loop, once it has begun.
    """

    probe: Probe
    tokenizer: Tokenizer
    instruction: str
    lead: str
    decoding: StepByStep | None = field(default=None)

    def at_once(self, block: Block) -> Forced:
        """The answer without a thought, after a prompt that leaves the block like this."""
        opening = [] if block == "open" else [Control(THINK)]
        return self.probe.look(self._ids([*opening, Text("\n\n")]))

    def answer(self, floor: float) -> Forced:
        """As :meth:`Eyes.answer`."""
        return self.probe.look(self._ids([Text(f"{self.instruction}\n")]), floor=floor)

    def ends_sentence(self) -> bool:
        """As :meth:`Eyes.ends_sentence`."""
        if self.decoding is None:
            return False
        text = self.tokenizer.decode([self.decoding.last])
        return text.endswith("\n") or text.rstrip(" ").endswith(SENTENCE_ENDS)

    def margin(self) -> float:
        """As :meth:`Eyes.margin`."""
        close = self.tokenizer.control.end_think
        if self.decoding is None or close is None:
            return float("inf")
        logits = self.decoding.logits[0].astype(mx.float32)
        others = mx.where(mx.arange(logits.size) == close, -mx.inf, logits)
        return cast(float, (others.max() - logits[close]).item())

    def _ids(self, opening: Sequence[Control | Text]) -> list[int]:
        closed = [*opening, Control(END_THINK), Text(f"\n\n{self.lead}")]
        return self.tokenizer.encode_pieces(closed)
