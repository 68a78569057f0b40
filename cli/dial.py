"""The dial of the thinking budget: what each key does to it while the model thinks.

Knows keys and numbers of tokens. Does not know terminals: it tells whoever shows it when something
has changed. What is dialled holds for the turn under way; `/budget` is for all that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from qwen3_mlx.cli.keys import ESCAPE
from qwen3_mlx.cli.options import BUDGET_DIGITS, parse_budget
from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.thinking import AutoBudget, ThinkingBudget

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation

KEYS = "+ - = budget · space answers"
_STOP = {" ", ESCAPE}
_ENTER = {"\r", "\n"}
_BACKSPACE = {"\x7f", "\x08"}


@contextmanager
def own_budget(conversation: Conversation) -> Iterator[ThinkingBudget]:
    """A budget for one turn, equal to the conversation's, which it leaves as it was."""
    before = conversation.budget
    conversation.budget = ThinkingBudget(before.setting, given=before.given)
    try:
        yield conversation.budget
    finally:
        conversation.budget = before


class Dial:
    """Turns a budget with single keys, between the first thought and the last.

    Args:
        budget: Of the turn.
        turned: Called after every key that did something, from the thread that pressed it.
    """

    def __init__(self, budget: ThinkingBudget, turned: Callable[[], None]) -> None:
        self._budget = budget
        self._turned = turned
        self._before = 0  # thought in earlier steps of the turn, which the budget counts too
        self._used: int | None = None  # None: it is not thinking, keys do nothing
        self._chosen: int | None = None  # by a budget that sets itself
        self._entry: str | None = None
        self._refused = ""  # what was typed last, if it is no budget
        self._stopping = False

    @property
    def limit(self) -> int | None:
        """Tokens that the step under way may think; None for no end."""
        if self._budget.auto:
            return self._chosen
        limit = self._budget.limit
        return None if limit is None else max(0, limit - self._before)

    @property
    def note(self) -> str:
        """What a person should see of it besides the limit, if anything."""
        if self._stopping:
            return "answering now"
        if self._refused:
            return f"{self._refused} is no budget: a number, or none"
        return "" if self._entry is None else f"budget = {self._entry}_"

    def thought(self, used: int, limit: int | None) -> None:
        """The step under way has thought this many tokens, of a limit as it is now."""
        self._used, self._chosen = used, limit

    def close(self) -> None:
        """The thinking is over: keys do nothing from here on."""
        self._used = self._entry = None
        self._refused = ""
        self._stopping = False

    def step_over(self, thought: int) -> None:
        """A step is over that thought so many tokens: the next one may think what is left."""
        self._before += thought

    def press(self, key: str) -> None:
        """Does what the key says; most keys say nothing."""
        used = self._used
        if used is None:
            return
        refused, self._refused = self._refused, ""
        if self._act(key.lower(), used) or refused:
            self._turned()

    def _act(self, key: str, used: int) -> bool:
        if self._entry is not None:
            return self._enter(key, self._entry)
        if key in _STOP:
            return self._stop()
        if key == "=":
            self._entry = ""
            return True
        return self._scale(key, used)

    def _scale(self, key: str, used: int) -> bool:
        limit = self.limit
        if limit is None or key not in {"+", "-"}:
            return False
        left = max(0, limit - used)
        self._set(used + (left * 2 if key == "+" else left // 2))
        return True

    def _set(self, limit: int | None) -> None:
        """Lets the step under way think so many tokens."""
        self._budget.set(None if limit is None else self._before + limit)

    def _stop(self) -> bool:
        self._stopping = True
        self._budget.stop()
        return True

    def _enter(self, key: str, entry: str) -> bool:
        if key in _ENTER:
            self._entry = None
            self._take(entry)
        elif key == ESCAPE:
            self._entry = None
        elif key in _BACKSPACE:
            self._entry = entry[:-1]
        elif len(key) == 1 and key.isascii() and key.isalnum() and len(entry) < BUDGET_DIGITS:
            self._entry = entry + key
        else:
            return False
        return True

    def _take(self, entry: str) -> None:
        try:
            limit = parse_budget(entry).limit
        except UsageError:
            self._refused = entry  # the budget stays
            return
        if isinstance(limit, AutoBudget):  # would set itself in a later turn, and this is for one
            self._refused = entry
        else:
            self._set(limit)
