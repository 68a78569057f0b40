"""Whether a reply thinks: what was set, the switches that were typed, and what `auto` finds.

Knows which of them comes first. Does not know messages, models or budgets.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from qwen3_mlx.errors import UsageError
from qwen3_mlx.events import ThinkingChosen
from qwen3_mlx.text.lookup_like import decide

Thinking: TypeAlias = bool | Literal["auto"]
"""What `thinking` may be: `auto` looks at each message."""


def settled(thinking: Thinking, switch: bool | None) -> Thinking:
    """Whether to think, or `auto` where the message is to decide.

    Args:
        thinking: What was set; False is hard.
        switch: The last `/think` (True) or `/no_think`, None without one.

    Raises:
        UsageError: `thinking` is neither true nor false nor `auto`.
    """
    if not isinstance(thinking, bool) and thinking != "auto":
        raise UsageError(
            f"thinking is {thinking!r:.40}", hint="Give True, False, or 'auto' to decide each time."
        )
    return thinking if switch is None or thinking is False else switch


def choose(text: str, typed: str | None = None) -> ThinkingChosen:
    """What `auto` finds in a message; arguments as for `decide`."""
    decision = decide(text, typed)
    return ThinkingChosen(decision.think, decision.reason)
