"""Ctrl-C in the real chat, in a terminal, at random times: what is kept is what was shown.

    python -m tests.trust.presses --count 20

A press comes at a random time of a turn, by the clock: each trial is repeated by its number, but
its press may land elsewhere. Then another message is sent; the chat is saved, and each of its
turns is held against the screen, and against that of a conversation which has read nothing yet.
"""

from __future__ import annotations

import random
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from qwen3_mlx import LLM, load
from qwen3_mlx.chat import Conversation
from qwen3_mlx.cli import transcripts
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.tools.calculator import CALCULATOR
from tests.cli.screen import Screen
from tests.trust.tally import Tally, main

PRESSES = 20
PER_CHAT = 4
ROWS, COLUMNS = 200, 200
PROMPT = "›"
CTRL_C = "\x03"
LEFT = 130
"""The exit code of a program that Ctrl-C ended."""

ASIDE = ("thought", "stopped", "▸", "^C", "Ctrl-C")
"""What lines begin with that are not the model's."""

BROKEN_CALL = re.compile(r"<tool_call>.*?</tool_call>", re.DOTALL)
"""A call that could not be read is kept as text, and shown as a call."""


@cache
def tiny() -> LLM:
    """The bundled model."""
    return load("tiny")


@dataclass(frozen=True)
class Kind:
    """A kind of chat.

    Attributes:
        question: What is said in the turns that are interrupted, with two numbers in it.
        budget: Of thinking tokens.
        tools: Whether the calculator is offered.
    """

    name: str
    question: str
    budget: int = 512
    tools: bool = False

    @property
    def flags(self) -> tuple[str, ...]:
        """The options of such a chat."""
        tools = ("--tools", "calculator", "--allow-tools", "all") if self.tools else ()
        return ("--temp", "0", "--budget", str(self.budget), *tools)

    def fresh(self) -> Conversation:
        """A conversation of this kind that has read nothing."""
        tools = [CALCULATOR] if self.tools else []
        return tiny().chat(budget=self.budget, temp=0.0, tools=tools)


KINDS = (
    Kind("thinking", "What is {} + {} + 12?"),
    Kind("small budget", "What is {} + {} + 48?", budget=4),
    Kind("answer", "Ann: {}, Bob: {}, Cem: 93. What is Bob?", budget=0),
    Kind("tools", "What is {} * {}?", budget=4, tools=True),
)


class Chat:
    """A chat in a terminal.

    Args:
        home: Where it keeps its state.
        args: Its options.
    """

    def __init__(self, home: Path, args: Sequence[str]) -> None:
        self.screen = Screen(
            [sys.executable, "-P", "-m", "qwen3_mlx", "chat", *args],
            rows=ROWS,
            columns=COLUMNS,
            env={f"XDG_{name}_HOME": str(home) for name in ("STATE", "CONFIG", "CACHE")},
        )
        self.screen.wait_for(PROMPT)

    def say(self, text: str, press_after: float | None = None) -> str:
        """Types a line, and presses Ctrl-C after so many seconds; what came until the next line."""
        self.screen.type(f"{text}\r")
        if press_after is not None:
            time.sleep(press_after)
            self.screen.type(CTRL_C)
        self.screen.wait_until(lambda: self.over(text), text)
        return self._after(text).partition(PROMPT)[0]

    def over(self, text: str) -> bool:
        """Whether there is another line to be typed."""
        return self._after(text).rpartition("\n")[2].startswith(PROMPT)

    def _after(self, text: str) -> str:
        """What is on the screen after a line."""
        return self.screen.text.partition(f"{PROMPT} {text}\n")[2]


def answer_on(shown: str) -> str:
    """What the model says in a part of the screen, its blanks apart."""
    lines = (line for line in shown.splitlines() if not line.startswith(ASIDE))
    return "".join("".join(lines).split())


def answer_in(turn: Sequence[Message]) -> str:
    """What the model says in a turn, its blanks apart."""
    said = (str(message["content"]) for message in turn if message["role"] == "assistant")
    return "".join(BROKEN_CALL.sub("", "".join(said)).split())


def turns_of(messages: Sequence[Message]) -> dict[str, int]:
    """Where each turn begins, by what is asked in it."""
    return {str(m["content"]): i for i, m in enumerate(messages) if m["role"] == "user"}


def turn_at(messages: Sequence[Message], start: int) -> list[Message]:
    """The messages of the turn that begins there."""
    starts = [*turns_of(messages).values(), len(messages)]
    return list(messages[start : next(s for s in starts if s > start)])


def fault_of_press(messages: Sequence[Message], question: str, shown: str) -> tuple[str, str]:
    """Where a press came, and what is wrong with what is kept of its turn (nothing, if nothing)."""
    start = turns_of(messages).get(question)
    if start is None:
        wrong = "shown, but not kept" if answer_on(shown) else ""
        return "before an answer", wrong
    turn = turn_at(messages, start)
    cut = any(message.get("interrupted") for message in turn)
    said = answer_in(turn)
    wrong = "" if answer_on(shown) == said else f"kept {said!r}, shown {answer_on(shown)!r}"
    return ("in the answer or a call" if cut else "after the end"), wrong


def fault_of_turn(kind: Kind, messages: Sequence[Message], question: str) -> str:
    """Whether a turn is another than that of a conversation with the same messages before it."""
    start = turns_of(messages)[question]
    fresh = kind.fresh()
    fresh.messages = list(messages[:start])
    fresh.send(question)
    turn, right = turn_at(messages, start), fresh.messages[start:]
    return "" if turn == right else f"the next turn is {turn}, not {right}"


def one_chat(kind: Kind, presses: int, rng: random.Random, home: Path) -> list[tuple[str, str]]:
    """Where each press in a chat came, and what is wrong."""
    saved = home / "saved.json"
    chat = Chat(home, kind.flags)
    with chat.screen:
        chat.say(asked(kind, rng))  # the first turn is slower
        start = time.monotonic()
        chat.say(asked(kind, rng))
        seconds = time.monotonic() - start
        shown: dict[str, str] = {}
        after: list[str] = []
        for _ in range(presses):
            question = asked(kind, rng)
            shown[question] = chat.say(question, rng.uniform(0, seconds))
            after.append(asked(kind, rng))
            chat.say(after[-1])
        chat.say(f"/save {saved}")
        chat.screen.type("/exit\r")
        ended, raw = chat.screen.finish(), chat.screen.raw
    messages = transcripts.load(saved).messages
    faults = [fault_of_press(messages, *press) for press in shown.items()]
    wrong = "a traceback" if b"Traceback" in raw else f"exit code {ended}" if ended else ""
    return [
        (place, fault or fault_of_turn(kind, messages, following) or wrong)
        for (place, fault), following in zip(faults, after, strict=True)
    ]


def left(kind: Kind, rng: random.Random, home: Path) -> str:
    """What is wrong after two presses, which leave the chat in the middle of a turn."""
    chat, question = Chat(home, kind.flags), asked(kind, rng)
    with chat.screen:
        chat.say(asked(kind, rng))
        chat.screen.type(f"{question}\r")
        for most in (0.1, 0.05):
            time.sleep(rng.uniform(0, most))
            chat.screen.type(CTRL_C)
        with suppress(AssertionError, OSError):  # it is gone, or there is another line
            chat.screen.wait_until(lambda: chat.over(question), question)
            chat.screen.type("/exit\r")
        ended, raw = chat.screen.finish(), chat.screen.raw
    if b"Traceback" in raw or ended not in {0, LEFT}:
        return f"a traceback, or exit code {ended}"
    return resumed(kind, rng, home)


def resumed(kind: Kind, rng: random.Random, home: Path) -> str:
    """What is wrong with the next turn of a chat that was left."""
    saved, question = home / "resumed.json", asked(kind, rng)
    chat = Chat(home, (*kind.flags, "--resume"))
    with chat.screen:
        chat.say(question)
        chat.say(f"/save {saved}")
    return fault_of_turn(kind, transcripts.load(saved).messages, question)


def asked(kind: Kind, rng: random.Random) -> str:
    """A question of a kind."""
    return kind.question.format(rng.randint(100, 999), rng.randint(100, 999))


def attack(count: int, seed: int) -> Tally:
    """So many presses, in chats of some presses each, and as many chats that are left by two."""
    tally = Tally()
    for number in range(0, count, PER_CHAT):
        kind = KINDS[number // PER_CHAT % len(KINDS)]
        rng = random.Random(f"{seed} {number}")
        for place, wrong in _tried(kind, min(PER_CHAT, count - number), rng):
            if wrong:
                tally.fell(f"{kind.name}, {place}", f"chat {number}: {wrong}")
            else:
                tally.held(f"{kind.name}, {place}")
    return tally


def _tried(kind: Kind, presses: int, rng: random.Random) -> list[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as home:
        try:
            there = one_chat(kind, presses, rng, Path(home))
            return [*there, ("two presses", left(kind, rng, Path(home)))]
        except AssertionError as error:  # of the screen: something never came
            return [("somewhere", str(error))]


if __name__ == "__main__":
    main(attack, PRESSES)
