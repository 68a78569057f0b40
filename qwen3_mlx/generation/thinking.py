"""The thinking budget: when a block of thoughts opens, how far it may go, and how it ends.

Knows the ids that open and close a block and counts what lies between them. Pure Python: no
arrays, no model, no text (an incomplete character is told by the `TextState` it is given).

A budget of B lets the model generate B tokens inside the block. Opening tag, closing tag and the
injected stop instruction are counted apart. After token B nothing more is sampled inside the
block, except up to three tokens that finish a character.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Literal, Protocol, TypeAlias

from qwen3_mlx.errors import UsageError, shown
from qwen3_mlx.events import StopThinking
from qwen3_mlx.generation.steps import Part, Verdict
from qwen3_mlx.text.renderer import Block

STOP_INSTRUCTION = (
    "\n\nConsidering the limited time by the user, I have to give the solution based on the"
    " thinking directly now."
)
"""Qwen's own words; the closing tag is written after them."""

CHARACTER_GRACE = 3
"""Tokens past the budget that may finish a character: UTF-8 needs at most three more bytes."""


@dataclass(frozen=True, slots=True)
class AutoBudget:
    """A budget that sets itself, and which of its parts are at work.

    Attributes:
        before: Choose the limit by how hard the prompt looks; else it is the calibration's cap.
        brake: Stop at the end of a sentence where the model is about to close the block
            (ThinkBrake, arXiv 2510.00546).
        check: Stop where the answer given now is certain, and the same as before.
        extend: Go on once where the limit is reached and the answer is still moving.
    """

    before: bool = True
    brake: bool = True
    check: bool = True
    extend: bool = True

    def __str__(self) -> str:
        parts = [name for name, works in asdict(self).items() if works]
        return AUTO if len(parts) == len(asdict(self)) else f"{AUTO}:{','.join(parts)}"


AUTO = "auto"


def parse_auto(text: str) -> AutoBudget:
    """`auto`, or the parts that are to be at work: `auto:before,check`.

    Raises:
        UsageError: the text is something else.
    """
    word, _, parts = text.partition(":")
    names = {part.strip() for part in parts.split(",")} if parts else set(_PARTS)
    if word != AUTO or not names <= _PARTS:
        raise UsageError(
            f"{text!r} is no budget that sets itself",
            hint=f"Give {AUTO}, or {AUTO}:PARTS with some of {', '.join(sorted(_PARTS))}.",
        )
    return AutoBudget(**{name: name in names for name in _PARTS})


_PARTS = {field.name for field in fields(AutoBudget)}

Limit: TypeAlias = int | Literal["auto"] | AutoBudget | None
"""What a budget may be: tokens, None for no end, or one that sets itself."""


class ThinkingBudget:
    """How many tokens a model may think; may be turned from any thread while it does.

    Args:
        limit: Tokens, None for no end, or `auto`.
        given: Whether a person chose it: only then is a conflict with `max_tokens` an error.

    Raises:
        UsageError: the limit is none of these.
    """

    def __init__(self, limit: Limit, *, given: bool = True) -> None:
        self._limit = check_budget(limit)
        self._given = given
        self._stops = 0

    @property
    def limit(self) -> int | None:
        """Tokens, or None for no end; None too where it sets itself."""
        return None if isinstance(self._limit, AutoBudget) else self._limit

    @property
    def setting(self) -> int | AutoBudget | None:
        """What it was set to."""
        return self._limit

    @property
    def auto(self) -> AutoBudget | None:
        """How it sets itself, if it does."""
        return self._limit if isinstance(self._limit, AutoBudget) else None

    @property
    def given(self) -> bool:
        """Whether a person chose the limit, at the start or by `set`."""
        return self._given

    @property
    def stops(self) -> int:
        """How often `stop` was called."""
        return self._stops

    def set(self, limit: Limit) -> None:
        """Change the limit; it holds from the next token on."""
        self._limit = check_budget(limit)
        self._given = True

    def stop(self) -> None:
        """End the thinking under way at the next token; the answer follows."""
        self._stops += 1  # of two stops at the same moment one may be lost; one is enough


def check_budget(limit: Limit) -> int | AutoBudget | None:
    """The limit itself; `auto` with all its parts.

    Raises:
        UsageError: it is no whole number >= 0, not None and not `auto`.
    """
    if limit == AUTO:
        return AutoBudget()
    if limit is None or isinstance(limit, AutoBudget):
        return limit
    if isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0:
        return limit
    raise UsageError(
        f"the thinking budget is {shown(limit)}",
        hint="Give a whole number of tokens, 0 for no thinking, None for no end, or 'auto'.",
    )


class Allowance(Protocol):
    """What one reply may think."""

    @property
    def limit(self) -> int | None:
        """Tokens at this moment; None when there is no end."""

    @property
    def why(self) -> str:
        """In words, what `auto` found; nothing for other reasons."""

    def over(self, used: int, /) -> StopThinking | None:
        """Why the thinking may not go on after `used` tokens, if it may not."""


class OwnAllowance:
    """What a person's budget allows one reply.

    A budget that is turned to `auto` while the model thinks sets itself from the next reply on.

    Args:
        stops: How often it had been stopped when the reply began; None: as often as now.
    """

    def __init__(self, budget: ThinkingBudget, stops: int | None = None) -> None:
        self.why = ""
        self._budget = budget
        self._stops_before = budget.stops if stops is None else stops
        self._limit = budget.limit

    @property
    def limit(self) -> int | None:
        """As :attr:`Allowance.limit`."""
        if self._budget.auto is None:
            self._limit = self._budget.limit
        return self._limit

    def over(self, used: int) -> StopThinking | None:
        """As :meth:`Allowance.over`."""
        if self._stopped:
            return "user"
        limit = self.limit
        return "budget" if limit is not None and used >= limit else None

    @property
    def _stopped(self) -> bool:
        return self._budget.stops != self._stops_before


class TextState(Protocol):
    """Knows whether the text so far ends in the middle of a character."""

    @property
    def pending(self) -> bool:
        """Whether more tokens are needed to finish the last character."""

    def push(self, token: int, /) -> str:
        """Add a token."""


@dataclass(frozen=True, slots=True)
class Tags:
    """The ids that structure a reply, as the tokenizer gives them (None: it has no such token)."""

    think: int | None
    end_think: int | None
    tool_call: int | None
    ends: frozenset[int]
    is_control: Callable[[int], bool]


class ThinkingGate:
    """Judges every sampled token of one reply.

    Args:
        tags: The structural ids.
        allowance: Asked anew at every token.
        block: How the prompt leaves the block: `absent` when the model may open one with its first
            token, `open` when the prompt did, `closed` when there is none.
        instruction: Ids of the stop instruction, closing tag included.
        text: Tells whether the thoughts end inside a character.
        room: Tokens of thought that `max_tokens` and the context leave, None for any number.
    """

    def __init__(
        self,
        tags: Tags,
        allowance: Allowance,
        *,
        block: Block,
        instruction: Sequence[int],
        text: TextState,
        room: int | None = None,
    ) -> None:
        self._tags = tags
        self._allowance = allowance
        self._instruction = tuple(instruction)
        self._text = text
        self._room = room
        self._grace = CHARACTER_GRACE
        self._no_room = ""
        self.block: Block = block
        self.thinking_tokens = 0
        self.injected_tokens = 0
        self.stop_thinking: StopThinking = "off"

    @property
    def limit(self) -> int | None:
        """What the thoughts count against now; None when there is no end."""
        limit = self._allowance.limit
        return limit if limit is None or self._room is None else min(limit, self._room)

    @property
    def why(self) -> str:
        """As :attr:`Allowance.why`; or why there is no room."""
        return self._no_room or self._allowance.why

    def lacks_room(self, why: str) -> None:
        """There is no block, because there is no room for one: why, in words."""
        self._no_room, self.stop_thinking = why, "length"

    def judge(self, token: int) -> Verdict:
        """What `token`, just sampled, is, and what must follow it."""
        if self.block == "absent":
            return self._first(token)
        return self._inside(token) if self.block == "open" else self._after(token)

    def interrupt(self) -> None:
        """The whole reply was ended by a person: if it was thinking, so was that."""
        if self.block == "open":
            self.block, self.stop_thinking = "closed", "user"

    def _first(self, token: int) -> Verdict:
        if token != self._tags.think:
            self.block = "closed"
            return self._after(token)
        self.block = "open"
        return self._then_stop_if_over(Part.OPEN)

    def _after(self, token: int) -> Verdict:
        return Verdict(Part.END, last=True) if token in self._tags.ends else Verdict(Part.ANSWER)

    def _inside(self, token: int) -> Verdict:
        reason = self._over()
        if reason and not self._may_finish_character(token):
            return self._stop(Part.DROPPED, reason)
        if token in self._tags.ends:
            return self._stop(Part.DROPPED, "natural")
        if token == self._tags.end_think:
            return self._close(Part.CLOSE)
        if token == self._tags.tool_call:
            return self._close(Part.ANSWER)
        return self._think(token, past_end=bool(reason))

    def _think(self, token: int, *, past_end: bool) -> Verdict:
        self.thinking_tokens += 1
        self._grace = self._grace - 1 if past_end else CHARACTER_GRACE
        self._text.push(token)
        return self._then_stop_if_over(Part.THOUGHT)

    def _then_stop_if_over(self, part: Part) -> Verdict:
        reason = self._over()
        if reason is None or (self._text.pending and self._grace):
            return Verdict(part)
        return self._stop(part, reason)

    def _may_finish_character(self, token: int) -> bool:
        return self._text.pending and self._grace > 0 and not self._tags.is_control(token)

    def _over(self) -> StopThinking | None:
        """Why the block may not go on, if it may not."""
        reason = self._allowance.over(self.thinking_tokens)
        full = self._room is not None and self.thinking_tokens >= self._room
        return reason or ("length" if full else None)

    def _stop(self, part: Part, reason: StopThinking) -> Verdict:
        self.block, self.stop_thinking = "closed", reason
        self.injected_tokens = len(self._instruction)
        return Verdict(part, self._instruction)

    def _close(self, part: Part) -> Verdict:
        self.block, self.stop_thinking = "closed", "natural"
        return Verdict(part)
