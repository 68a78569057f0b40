"""The turns of a second, naive chat: a list of messages, and a fresh run over all of them.

Knows when a turn is kept and what a full context means. Keeps nothing of what a model has read.
Does not know commands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from threading import Event as Flag
from typing import Any

from qwen3_mlx.errors import ContextOverflowError, Qwen3Error
from qwen3_mlx.generation.mode import choose
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.thinking import Limit, ThinkingBudget
from qwen3_mlx.runtime import LLM
from qwen3_mlx.tools.calculator import CALCULATOR
from qwen3_mlx.tools.chain import Chain, Toolbox

Said = dict[str, Any]
"""A message."""

Kept = tuple[Said, list[Said]]
"""The budget of a conversation, if somebody chose it, by that name, and its messages."""

Load = Callable[[str, int], LLM]
SWITCHES = {"/think": True, "/no_think": False}
PRIVATE = ("hidden", "summary")


class RefusedError(Exception):
    """Something that a person is told with an error, and that changes nothing."""


@dataclass
class PlainTurns:
    """A conversation, and how it goes on.

    Attributes:
        load: Makes a model, by its name and its context.
        stop: What a network sets when Ctrl-C is pressed.
        person: Whether somebody can be asked what is to go when the context is full.
        saved: Conversations in files, by their names.
        exported: Names of files with Markdown.
        own: Names of files that this chat may replace.
        outcomes: What became of each turn.
    """

    load: Load
    stop: Flag
    person: bool
    model: str
    context: int
    sampling: Said
    messages: list[Said] = field(default_factory=list)
    system: str | None = None
    thinking: bool | str = True
    budget: Limit = 512
    given: bool = False
    shown: str = "window"
    max_tokens: int | None = None
    tools: bool = True
    switch: bool | None = None
    files: list[str] = field(default_factory=list)
    saved: dict[str, Kept] = field(default_factory=dict)
    exported: set[str] = field(default_factory=set)
    own: set[str] = field(default_factory=set)
    last: Kept | None = None
    outcomes: list[str] = field(default_factory=list)
    errors: int = 0
    letters: Iterator[str] = field(default_factory=lambda: iter(()))

    def transcript(self) -> Kept:
        """What may be kept now."""
        private = self.shown in PRIVATE
        chosen = {"budget": self.budget} if self.given else {}
        return chosen, [without_thoughts(m) if private else {**m} for m in self.messages]

    def _send(self, text: str) -> None:
        switch = spoken(text)
        switch = self.switch if switch is None else switch
        if self._say("\n\n".join([*self.files, text]), text, switch):
            self.files = []

    def _say(self, text: str, typed: str, switch: bool | None) -> bool:
        question: Said = {"role": "user", "content": text}
        if switch is not None:
            question["thinking"] = switch
        while True:
            try:
                return self._turn(question, typed)
            except ContextOverflowError as error:
                self.outcomes.append("too long for the context")
                if not self.person:
                    raise RefusedError from error
                self.errors += 1
                if not self._make_room(question, error.tokens):
                    return False
            except Qwen3Error as error:
                self.outcomes.append("limits that contradict each other")
                raise RefusedError from error

    def _make_room(self, question: Said, tokens: int) -> bool:
        """What the letter says; whether to try again."""
        letter = next(self.letters, "").strip().lower()
        starts = [i for i, m in enumerate(self.messages) if m["role"] == "user"]
        fewer = letter in {"d", "n"} and starts and self._fits_alone(question)
        if letter == "y":
            doublings = max(1, (tokens // self.context).bit_length())
            self._reload(self.model, self.context << doublings)
        elif letter == "n" and fewer:
            self.clear()
        elif letter == "d" and fewer:
            end = [*starts, len(self.messages)][1]
            gone, left = self.messages[starts[0]], self.messages[end:]
            if left and "thinking" in gone and "thinking" not in left[0]:
                left[0]["thinking"] = gone["thinking"]
            del self.messages[starts[0] : end]
        else:
            self.outcomes.append("question forgotten")
            return False
        return True

    def _fits_alone(self, question: Said) -> bool:
        systems = [{"role": "system", "content": self.system}] if self.system is not None else []
        llm = self._llm()
        pieces = llm.writer().pieces(self._request([*systems, question], False))
        return len(llm.tokenizer.encode_pieces(pieces)) < self.context

    def _turn(self, question: Said, typed: str) -> bool:
        self.stop.clear()
        private = self.shown in PRIVATE
        chain = self._chain([*self.messages, question], self._thinks(question, typed), private)
        reply = [*chain.events()][-1].reply  # type: ignore[union-attr]
        answer: list[Said] = [{**m} for m in chain.messages()]
        if not answer:
            self.outcomes.append("stopped before the answer")
            return False
        stopped = any("interrupted" in m for m in answer)
        self.outcomes.append("stopped in the answer" if stopped else "answered")
        turn = [question, *answer]
        self.messages += map(without_thoughts, turn) if private else turn
        if self.shown == "summary" and reply.thinking and reply.answer and not stopped:
            tokens = reply.usage.thinking_tokens
            count = "1 token" if tokens == 1 else f"{tokens} tokens"
            self.messages[-1]["summary"] = f"It thought for {count} before it answered."
        self.switch = None
        self.last = deepcopy(self.transcript())
        return True

    def _chain(self, messages: list[Said], thinks: bool, private: bool) -> Chain:
        llm = self._llm()
        tools = [CALCULATOR] if self.tools else []
        return Chain(
            llm, self._request(messages, thinks, private), Prefix(llm.model), Toolbox(tools)
        )

    def _request(self, messages: list[Said], thinks: bool, private: bool = False) -> Request:
        return Request(
            messages=messages,  # type: ignore[arg-type]
            budget=ThinkingBudget(self.budget, given=self.given),
            thinking=thinks,
            max_tokens=self.max_tokens,
            sampling=self.sampling,  # type: ignore[arg-type]
            stopped=self.stop.is_set,
            private=private,
            tools=[CALCULATOR.schema] if self.tools else [],
        )

    def _llm(self) -> LLM:
        return self.load(self.model, self.context)

    def _thinks(self, question: Said, typed: str) -> bool:
        wanted = self._mode([*self.messages, question])
        if wanted == "auto":
            return choose(question["content"], typed).think
        return bool(wanted)

    def _mode(self, messages: Sequence[Said]) -> bool | str:
        """The switch that was typed last, or the one in the system prompt; else what was set."""
        typed = [m["thinking"] for m in messages if "thinking" in m]
        switch = typed[-1] if typed else spoken(self.system or "")
        return self.thinking if switch is None or self.thinking is False else switch

    def _reload(self, name: str, context: int) -> None:
        try:
            self.load(name, context)
        except Qwen3Error as error:
            raise RefusedError from error
        self.model, self.context = name, context

    def _undone(self) -> list[Said]:
        """The last turn, taken back."""
        starts = [i for i, m in enumerate(self.messages) if m["role"] == "user"]
        if not starts:
            raise RefusedError
        turn = self.messages[starts[-1] :]
        del self.messages[starts[-1] :]
        return turn

    def clear(self) -> None:
        """Forgets all but the system prompt."""
        self.messages = [] if self.system is None else [{"role": "system", "content": self.system}]

    def restore(self, kept: Kept) -> None:
        """Goes on with what was kept."""
        chosen, self.messages = deepcopy(kept)
        if chosen:
            self.budget, self.given = chosen["budget"], True
        systems = [m["content"] for m in self.messages if m["role"] == "system"]
        self.system = systems[0] if systems else None


def spoken(text: str) -> bool | None:
    """The last of the words `/think` and `/no_think` in a text, which a point may follow."""
    words = (word.rstrip(".,;:!?") for word in text.split())
    return next((SWITCHES[word] for word in reversed([*words]) if word in SWITCHES), None)


def without_thoughts(message: Said) -> Said:
    """The message as if nothing had been thought."""
    return {**message, "reasoning_content": ""} if "reasoning_content" in message else message
