"""Moments of a piece of work: the lines of Qwen3's code that it runs, and what is done at one.

Knows lines, and in which phase of a turn each is run. Does not know what a turn should leave.
"""

from __future__ import annotations

import sys
from array import array
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dis import get_instructions
from functools import cache, partial
from itertools import chain
from pathlib import Path
from traceback import walk_tb
from types import CodeType, FrameType
from typing import Any, TypeAlias, TypeVar

import qwen3_mlx
from qwen3_mlx.generation.steps import Part

ROOT = str(Path(qwen3_mlx.__file__).parent)

PREFILL, THINKING, INJECTION, ANSWER = "prefill", "thinking", "injection", "answer"
TOOL_CALL, ENDING, READING_AHEAD = "tool call", "ending", "reading ahead"

ENTERED = {
    "Conversation.stream": PREFILL,
    "Answering.__init__": PREFILL,
    "Answering._read_prompt": PREFILL,
    "StepByStep.inject": INJECTION,
    "Speculative.inject": INJECTION,
    "Chain._call": TOOL_CALL,
    "Turn.end": ENDING,
    "Prefix.save": ENDING,
    "Conversation._conclude": ENDING,
    "Conversation.read_ahead": READING_AHEAD,
}
"""Functions that begin a phase."""

SHOWN = {
    Part.OPEN: THINKING,
    Part.THOUGHT: THINKING,
    Part.INJECTED: INJECTION,
    Part.CLOSE: ANSWER,
    Part.ANSWER: ANSWER,
    Part.END: ENDING,
}
"""The phase that goes on after a token."""

Deed: TypeAlias = Callable[[], None]
T = TypeVar("T")


class Lines:
    """Counts the lines of Qwen3's code that this thread runs, and does something at some of them.

    Args:
        deeds: By the number of the line, before it is run; what one raises is raised there.

    Attributes:
        count: Lines so far.
        place: Where the last deed was done: file and line.
    """

    def __init__(self, deeds: Mapping[int, Deed]) -> None:
        self.count = 0
        self.place = ""
        self._deeds = deeds
        self._phase = PREFILL
        self._visits: dict[str, dict[str, array[int]]] = defaultdict(
            lambda: defaultdict(partial(array, "L"))
        )

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Lines count while the context lasts."""
        before = sys.gettrace()
        sys.settrace(self._called)
        try:
            yield
        finally:
            sys.settrace(before)

    def drawn(self, phase: str, share: float, *, rare: bool) -> int:
        """A line of those that were run in a phase.

        Args:
            phase: One that there was.
            share: Which of them, 0 to 1.
            rare: Whether a line of code that was run once is as likely as one that was run often.
        """
        visits = self._visits[phase]
        if rare:
            place, share = _at([*visits.values()], share)
            return _at(place, share)[0]
        return _at(sorted(chain.from_iterable(visits.values())), share)[0]

    def _called(self, frame: FrameType, _event: str, _: Any) -> Callable[..., Any] | None:
        if not frame.f_code.co_filename.startswith(ROOT):
            return None
        self._phase = _entered(frame) or self._phase
        return self._traced

    def _traced(self, frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        if event == "line" and frame.f_lasti not in _exits(frame.f_code):
            place = f"{frame.f_code.co_filename.removeprefix(ROOT)}:{frame.f_lineno}"
            self._visits[self._phase][place].append(self.count)
            self.count += 1
            if deed := self._deeds.get(self.count - 1):
                self.place = place
                deed()
        return self._traced


def _at(items: Sequence[T], share: float) -> tuple[T, float]:
    """The item at a share of all, and the share of that item."""
    whole, rest = divmod(share * len(items), 1)
    return items[int(whole)], rest


@cache
def _exits(code: CodeType) -> frozenset[int]:
    """Where blocks of `with` end: Python does not look for signals there before `__exit__`."""
    steps = [step for step in get_instructions(code) if step.opname != "PRECALL"]
    exits = set()
    for before, *nones, call in zip(*(steps[i:] for i in range(5)), strict=False):
        loads = [(step.opname, step.argval) for step in nones]
        if call.opname == "CALL" and loads == [("LOAD_CONST", None)] * 3:
            exits |= {nones[0].offset, before.offset if before.opname == "SWAP" else -1}
    return frozenset(exits)


def _entered(frame: FrameType) -> str | None:
    """The phase that a function begins, if it does."""
    name = frame.f_code.co_qualname
    return SHOWN[frame.f_locals["step"].part] if name == "Turn.take" else ENTERED.get(name)


def phase_of(error: BaseException) -> str:
    """The phase in which an error was raised, as far as the functions that it left tell."""
    phase = ""
    for frame, _ in walk_tb(error.__traceback__):
        if frame.f_code.co_qualname == "Turn.run":
            phase = THINKING if frame.f_locals["self"].gate.block == "open" else ANSWER
        phase = _entered(frame) or phase
    return phase
