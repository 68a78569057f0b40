"""Messages that need no weighing up: rules that say at once whether one is worth thinking about.

Knows few of them, each with a reason in words. What none of them is sure about is left to the
classifier in `lookup_like`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from qwen3_mlx.text.asked import COURTESY, SHORT, Asked
from qwen3_mlx.text.request_words import found, plain

REWORK = frozenset({"translate", "language", "format", "correct", "transform", "rewrite"})
"""What is done to a text that stands behind a colon, without a thought about what it says."""

THOUGHT = frozenset(
    {"why", "explain", "math", "make", "create", "count", "reason", "judge", "compare"}
)
"""What takes thought even where a text is reworked."""

# Dates and ranges, as 3-4 or 1/2, are no calculation unless there are spaces around the sign.
_CALCULATION = re.compile(r"\d\s*[+*×÷^]\s*\d|\d\s+[-−/]\s+\d")


@dataclass(frozen=True, slots=True)
class Rule:
    """What the messages are for which `applies` holds, and whether to think about them."""

    reason: str
    think: bool
    applies: Callable[[Asked], bool]


def matching(asked: Asked) -> Rule | None:
    """The first rule that holds."""
    return next((rule for rule in RULES if rule.applies(asked)), None)


def _is_courtesy(asked: Asked) -> bool:
    return asked.lines == 1 and COURTESY.fullmatch(asked.whole.strip()) is not None


def _reworks(asked: Asked) -> bool:
    if not asked.first.endswith(":"):
        return False
    kinds = _kinds(asked)
    return not REWORK.isdisjoint(kinds) and THOUGHT.isdisjoint(kinds)


def _calculates(asked: Asked) -> bool:
    calculation = asked.lines == 1 and _CALCULATION.search(asked.whole)
    return bool(calculation) and "translate" not in _kinds(asked)


def _kinds(asked: Asked) -> frozenset[str]:
    return found(plain(asked.first[:SHORT]))


RULES = (
    Rule("lookup-like (words of courtesy)", think=False, applies=_is_courtesy),
    Rule("lookup-like (a text to rework)", think=False, applies=_reworks),
    Rule("a calculation", think=True, applies=_calculates),
)
"""In the order in which they are asked."""
