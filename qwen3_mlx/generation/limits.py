"""How much room a reply has: the context, `max_tokens`, and what is kept free for the answer.

Knows token counts alone.
"""

from __future__ import annotations

from qwen3_mlx.errors import ContextOverflowError, UsageError, check_type, shown
from qwen3_mlx.generation.thinking import ThinkingBudget

ANSWER_RESERVE = 32
"""Tokens of `max_tokens` and of the context that thinking never takes."""

SOON_ENCODED = 10_000
"""Tokens at least; of the longest tokens, these are a megabyte of text."""

TAGS = 2
"""Opening and closing tag: they take room in the context, and count in no budget."""


def check_max_tokens(max_tokens: int | None) -> None:
    """Refuse a limit that is no whole number above 0."""
    if max_tokens is None:
        return
    check_type("max_tokens", max_tokens, int)
    if max_tokens < 1:
        raise UsageError(f"max_tokens is {shown(max_tokens)}", hint="Use 1 or more.")


def check_prompt(prompt_tokens: int, context_length: int) -> None:
    """Refuse a prompt that leaves no room for a single token of reply.

    Raises:
        ContextOverflowError: with both numbers.
    """
    if prompt_tokens >= context_length:
        raise _too_long(prompt_tokens, "", context_length)


def check_fewest(fewest: int, context_length: int) -> None:
    """Refuse a prompt before it is encoded, if it cannot fit by far.

    One that may be encoded in a moment is left to `check_prompt`, which knows its exact length.

    Args:
        fewest: Tokens that it has at least.

    Raises:
        ContextOverflowError: with both numbers.
    """
    if fewest >= max(context_length, SOON_ENCODED):
        raise _too_long(fewest, "at least ", context_length)


def _too_long(tokens: int, about: str, context_length: int) -> ContextOverflowError:
    return ContextOverflowError(
        f"the prompt has {about}{tokens} tokens and the model's context {context_length}",
        hint="Shorten the prompt, clear the conversation, or load the model with a larger context.",
        tokens=tokens,
    )


def check_budget_fits(
    budget: ThinkingBudget, instruction_tokens: int, max_tokens: int | None
) -> None:
    """Refuse a budget that a person gave and that leaves no answer within `max_tokens`.

    A default budget never conflicts: it shrinks (see `thinking_room`).

    Raises:
        UsageError: with the numbers.
    """
    limit = budget.limit
    if not budget.given or limit is None or max_tokens is None:
        return
    needed = limit + instruction_tokens + ANSWER_RESERVE
    if needed > max_tokens:
        left = limit - needed + max_tokens
        instead = f"a budget of at most {left}" if left > 0 else "no thinking"
        raise UsageError(
            f"max_tokens {max_tokens} is too small for a budget of {limit}: with"
            f" {instruction_tokens} tokens of stop instruction and {ANSWER_RESERVE} kept for the"
            f" answer it takes {needed}",
            hint=f"Use max_tokens of {needed} or more, or {instead}.",
        )


def thinking_room(context_left: int, instruction_tokens: int, max_tokens: int | None) -> int:
    """Tokens of thought after which stop instruction and answer still fit; 0 if there are none.

    Args:
        context_left: Tokens of the context after the prompt.
    """
    total = context_left - TAGS
    if max_tokens is not None:
        total = min(total, max_tokens)
    return max(0, total - instruction_tokens - ANSWER_RESERVE)


def lack_of_room(context_left: int, instruction_tokens: int, max_tokens: int | None) -> str:
    """In words, why there is no room for a token of thought; arguments as for `thinking_room`."""
    needed = 1 + instruction_tokens + ANSWER_RESERVE
    if max_tokens is not None and max_tokens < needed:
        return f"it takes {needed} tokens, and the reply may have {max_tokens}"
    return f"it takes {needed + TAGS} tokens, and the context has {context_left} left"
