"""What is to be measured: at which prompt lengths, how many tokens, how often.

Knows numbers and the context that bounds them. Does not know models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qwen3_mlx.errors import UsageError

FEWEST_TOKENS = 2
"""Of a reply: the first one is counted with the prompt."""

NEXT_TURN = 64
"""Tokens of the context that a second, short question and its format may take."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be measured.

    Attributes:
        lengths: Tokens of each prompt, ascending, each once.
        tokens: Of each reply.
        runs: That count, at each length; one more warms up.
        too_long: The lengths asked for that were cut down to the last of `lengths`.
    """

    lengths: tuple[int, ...]
    tokens: int
    runs: int
    too_long: tuple[int, ...] = ()

    @property
    def steps(self) -> int:
        """Runs and turns in all, warming up included."""
        return 2 * len(self.lengths) * (self.runs + 1)


def make_plan(context_length: int, lengths: Sequence[int], tokens: int, runs: int) -> Plan:
    """A plan that the context has room for: longer prompts are cut down to what fits.

    Args:
        context_length: Tokens of prompt and reply together.
        lengths: Tokens of the prompts.
        tokens: Of each reply, 2 or more.
        runs: That count, 1 or more.

    Raises:
        UsageError: no lengths, a number too small, or so many tokens that no prompt fits.
    """
    if not lengths or min(lengths) < 1:
        raise UsageError("a prompt has at least 1 token", hint="Give lengths like 128,512,2048.")
    if tokens < FEWEST_TOKENS or runs < 1:
        raise UsageError(f"it takes {FEWEST_TOKENS} tokens and 1 run at least to measure speed")
    longest = context_length - max(tokens, NEXT_TURN)
    if longest < 1:
        raise UsageError(
            f"{tokens} tokens leave no room for a prompt in a context of {context_length} tokens",
            hint="Give fewer --tokens, or a larger --context.",
        )
    return Plan(
        lengths=tuple(sorted({min(length, longest) for length in lengths})),
        tokens=tokens,
        runs=runs,
        too_long=tuple(sorted({length for length in lengths if length > longest})),
    )
