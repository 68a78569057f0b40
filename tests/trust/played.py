"""Turns to interrupt: what is said in them, to which model, and what came before.

Knows how a conversation gets to the turn, and which phases the turn has. Does not know interrupts.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

from qwen3_mlx import LLM, load
from qwen3_mlx.chat import Conversation
from qwen3_mlx.generation.drafting import PromptLookup
from qwen3_mlx.generation.speculation import Drafting
from qwen3_mlx.tools.calculator import calculate
from tests.trust import moments
from tests.trust.left_behind import Seen

COMPILED = "tiny-dense, compiled"
MODELS = ("tiny", "tiny-dense", COMPILED)
EARLIER = ("What is 2 + 3?", "Ann: 41, Bob: 7. What is Bob?", "Sort 5, 3, 9")


def calculator(expression: str) -> str:
    """Work out an arithmetic expression."""
    return calculate(expression)


@dataclass(frozen=True)
class Kind:
    """A kind of turn.

    Attributes:
        question: What is said in it.
        options: Of the conversation; see `LLM.chat`.
        models: Those whose turn of this kind has all its phases.
        phases: Those in which it can be interrupted, with reading ahead.
        guesses: Whether tokens are guessed.
    """

    question: str
    phases: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    models: tuple[str, ...] = MODELS
    guesses: bool = False


ALWAYS = (moments.PREFILL, moments.ANSWER, moments.ENDING, moments.READING_AHEAD)
ALL_BUT_CALLS = (*ALWAYS, moments.THINKING, moments.INJECTION)
KINDS = {
    "small budget": Kind("What is 17 + 25 + 9 + 48?", ALL_BUT_CALLS, {"budget": 4}),
    "no thinking": Kind("Ann: 41, Bob: 7, Cem: 93. What is Bob?", ALWAYS, {"thinking": False}),
    "auto": Kind("Sort 5, 3, 9", ALL_BUT_CALLS, {"budget": "auto"}),
    "auto, certain at once": Kind("What is 2 + 3?", ALWAYS, {"budget": "auto"}),
    "tools": Kind(
        "What is 347 * 582?",
        (*ALL_BUT_CALLS, moments.TOOL_CALL),
        {"budget": 4, "tools": [calculator]},
        models=("tiny",),
    ),
    "two calls": Kind(
        "What is 345 * 678 and 912 * 117?",
        (*ALWAYS, moments.TOOL_CALL),
        {"thinking": False, "tools": [calculator]},
        models=("tiny",),
    ),
    "guesses": Kind("What is 17 + 25 + 9?", ALL_BUT_CALLS, {"budget": 4}, guesses=True),
}


@dataclass(frozen=True)
class Scenario:
    """What comes before the interrupt.

    Attributes:
        model: A bundled one.
        kind: Of the turn that is interrupted; a key of `KINDS`.
        turns: Those that came before it.
        saved: Whether prompts are saved, and those turns were another process's.
        ahead: Whether the model has read ahead when the turn begins.
        reading: Whether it is reading ahead that is interrupted, and no turn.
    """

    model: str
    kind: str
    turns: int
    saved: bool
    ahead: bool
    reading: bool


class Stage:
    """Plays scenarios with loaded models."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._loaded: dict[str, LLM] = {}

    def begin(self, scenario: Scenario) -> Conversation:
        """The conversation up to the turn that is to be interrupted."""
        chat = self._conversation(scenario, saved=scenario.saved)
        for text in EARLIER[: scenario.turns]:
            chat.send(text, thinking=False)
        if scenario.saved:
            before, chat = chat, self._conversation(scenario, saved=True, empty=False)
            chat.messages = before.messages
        if scenario.ahead:
            chat.read_ahead()
        return chat

    def fresh(self, scenario: Scenario) -> Conversation:
        """A conversation that has read nothing, nor has anybody for it."""
        return self._conversation(scenario, saved=False)

    def _conversation(self, scenario: Scenario, *, saved: bool, empty: bool = True) -> Conversation:
        kind, ticks = KINDS[scenario.kind], count()
        llm = self._model(scenario.model)
        if llm.prompts is not None:
            llm.prompts.wait()
            if empty:
                shutil.rmtree(self._work, ignore_errors=True)
        engine = replace(
            llm,
            clock=lambda: float(next(ticks)),
            prompts=llm.prompts if saved else None,
            drafting=Drafting(PromptLookup) if kind.guesses else None,
        )
        return engine.chat(system="Be brief.", **kind.options)

    def _model(self, name: str) -> LLM:
        if name not in self._loaded:
            with patch.dict(os.environ, {"XDG_CACHE_HOME": str(self._work)}):
                model, compiled = name.partition(",")[0], name == COMPILED
                self._loaded[name] = load(model, save_cache=True, compiled=compiled)
        return self._loaded[name]


def work(chat: Conversation, scenario: Scenario, seen: Seen) -> None:
    """What is interrupted; notes what it tells."""
    if scenario.reading:
        chat.read_ahead()
    else:
        for event in chat.stream(KINDS[scenario.kind].question):
            seen.events.append(event)
            seen.ids.append(list(chat._prefix.ids))
    seen.ids.append(list(chat._prefix.ids))
    seen.messages = chat.messages


def begun(chat: Conversation) -> Seen:
    """Nothing of a turn."""
    return Seen(list(chat.messages), [], [list(chat._prefix.ids)], list(chat.messages))
