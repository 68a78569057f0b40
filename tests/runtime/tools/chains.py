"""What tests of tool chains share: a scripted model, tools, and what to look at."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from qwen3_mlx.chat import Conversation
from qwen3_mlx.errors import ToolError
from qwen3_mlx.events import (
    Done,
    Event,
    Reply,
    ToolResult,
)
from qwen3_mlx.text.pieces import Control
from qwen3_mlx.text.tokenizer import Tokenizer
from tests.runtime.conftest import Script, at, last_index

Ids = tuple[int, ...]
Begin = Callable[..., Conversation]


class Marks(NamedTuple):
    """What the messages of a prompt are told apart by."""

    start: int
    spoken: Ids
    asked: Ids
    told: Ids


class ChainScript(Script):
    """Says something else in each step of a turn; the last thing again and again."""

    def tell_steps(self, *steps: tuple[str | None, str]) -> None:
        """What to think and answer in each step; None: without a block."""
        self._told: list[tuple[list[int], list[int]]] = []
        for thoughts, answer in steps:
            self.tell(thoughts, answer)
            self._told.append((self._reply, self._answer))
        (start,) = self._ids("<|im_start|>")
        texts = ("assistant\n", "user\n", "user\n<tool_response>")
        self._marks = Marks(start, *(tuple(self._ids(text)) for text in texts))

    def _next(self) -> int:
        start = last_index(self.read, self._marks.start)
        step = steps_before(tuple(self.read[: start + 1]), self._marks)
        self._reply, self._answer = at(self._told, step)
        return super()._next()


@lru_cache(maxsize=16)
def steps_before(read: Ids, marks: Marks) -> int:
    """How often the model has spoken since the last question, up to the reply under way."""
    starts = [i + 1 for i, token in enumerate(read) if token == marks.start]
    spoken = 0
    for start, end in reversed([*pairwise(starts)]):
        said = read[start:end]
        spoken += begins(said, marks.spoken)
        if begins(said, marks.asked) and not begins(said, marks.told):
            break
    return spoken


def begins(ids: Ids, beginning: Ids) -> bool:
    return ids[: len(beginning)] == beginning


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def fail() -> str:
    """Fail."""
    raise ToolError("no luck today")


def call(name: str, **arguments: object) -> str:
    """A call as the model writes it."""
    written = json.dumps({"name": name, "arguments": arguments}, ensure_ascii=False)
    return f"<tool_call>\n{written}\n</tool_call>"


ADD = call("add", a=2, b=3)
BROKEN = '<tool_call>\n{"name": "add", "arguments": {"a": 2, "b"\n</tool_call>'


def results(events: Sequence[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, ToolResult)]


def reply_of(events: Sequence[Event]) -> Reply:
    done = events[-1]
    assert isinstance(done, Done)
    return done.reply


def prompt_of(script: ChainScript, tokenizer: Tokenizer) -> str:
    """The prompt of the last step after the system prompt."""
    text = tokenizer.decode(script.read).rpartition("<|im_start|>assistant\n")[0]
    return text.partition("<|im_end|>\n")[2]


def contains(ids: Sequence[int], part: Sequence[int]) -> bool:
    return any(list(ids[i : i + len(part)]) == list(part) for i in range(len(ids)))


def times(script: ChainScript, tokenizer: Tokenizer, name: str) -> int:
    """How often the model has read a control token."""
    (token,) = tokenizer.encode_pieces([Control(name)])
    return script.read.count(token)
