"""What may be seen and kept of a turn: no private thoughts, and nothing that is to be redacted.

Knows which fields of events and messages hold text. Stands before everything that shows a turn or
writes it down; does not know screens or files. What the model goes on with does not pass here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from qwen3_mlx.cli.redact import Redaction
from qwen3_mlx.errors import Qwen3Error
from qwen3_mlx.events import AnswerDelta, Done, Event, Reply, ThinkingDelta

if TYPE_CHECKING:
    from qwen3_mlx.text.pieces import Message

T = TypeVar("T")

TEXTS = frozenset({"answer", "thinking", "text", "arguments", "why", "because"})
"""The fields of events, replies and what is in them that hold text."""

THOUGHTS = "thinking"


class Cover:
    """Stands between the events of one turn and whatever shows them.

    Args:
        redaction: What is to be seen nowhere.
        private: Whether the thoughts are to be seen nowhere.

    Attributes:
        reply: The reply as it was, from the last event on; None before.
    """

    def __init__(self, redaction: Redaction, *, private: bool) -> None:
        self.reply: Reply | None = None
        self._redaction = redaction
        self._private = private
        self._thoughts = redaction.stream()
        self._answer = redaction.stream()
        self._thought: ThinkingDelta | None = None

    def events(self, events: Iterable[Event]) -> Iterator[Event]:
        """The events as they may be seen. Private thoughts keep their count.

        Text that may still have to be redacted comes later, before the next event of another kind
        at the latest, and before an error.

        Raises:
            UsageError: a pattern takes too long.
        """
        try:
            for event in events:
                yield from self._seen(event)
        except Qwen3Error:
            yield from self._rest()
            raise

    def _seen(self, event: Event) -> Iterator[Event]:
        if isinstance(event, Done):
            self.reply = event.reply
        if isinstance(event, ThinkingDelta):
            self._thought = event
            yield replace(event, text="" if self._private else self._thoughts.feed(event.text))
        elif isinstance(event, AnswerDelta):
            yield from _answered(self._answer.feed(event.text))
        else:
            yield from self._rest()
            yield _covered(event, self._redaction, private=self._private)

    def _rest(self) -> Iterator[Event]:
        """What was held back."""
        if self._thought is not None and (text := self._thoughts.end()):
            yield replace(self._thought, text=text)
        yield from _answered(self._answer.end())


def without_thoughts(reply: Reply) -> Reply:
    """The reply as if nothing had been thought, in any step of it."""
    return _covered(reply, Redaction(), private=True)


@contextmanager
def errors_covered(redaction: Redaction) -> Iterator[None]:
    """Redacts what an error says on its way through.

    Raises:
        UsageError: a pattern takes too long.
    """
    try:
        yield
    except Qwen3Error as error:
        error.message = redaction.text(error.message)
        error.hint = error.hint and redaction.text(error.hint)
        raise


def covered_messages(
    messages: Iterable[Message], redaction: Redaction, *, private: bool
) -> list[Message]:
    """Messages as they may be written down: all that is said in them is redacted.

    Raises:
        UsageError: a pattern takes too long.
    """
    return [_message(message, redaction, private=private) for message in messages]


def _message(message: Message, redaction: Redaction, *, private: bool) -> Message:
    said: dict[str, object] = {
        name: redaction.value(message.get(name))
        for name in ("content", "reasoning_content", "summary")
        if name in message
    }
    if private and "reasoning_content" in said:
        said["reasoning_content"] = ""  # without it, the content would be searched for thoughts
    if "tool_calls" in message:
        said["tool_calls"] = [_call(call, redaction) for call in message["tool_calls"]]
    return cast("Message", {**message, **said})


def _call(call: Mapping[str, object], redaction: Redaction) -> dict[str, object]:
    """A call, with or without the `function` wrapper."""
    function = call.get("function")
    inner = {"function": _call(function, redaction)} if isinstance(function, Mapping) else {}
    said = {"arguments": redaction.value(call["arguments"])} if "arguments" in call else {}
    return {**call, **inner, **said}


def _answered(text: str) -> list[Event]:
    return [AnswerDelta(text)] if text else []


def _covered(value: T, redaction: Redaction, *, private: bool) -> T:
    """An event, a reply or a part of it as it may be seen."""
    if isinstance(value, tuple):
        return cast(T, tuple(_covered(one, redaction, private=private) for one in value))
    if not is_dataclass(value) or isinstance(value, type):
        return value
    seen: dict[str, Any] = {}
    for field in fields(value):
        held = getattr(value, field.name)
        if private and field.name == THOUGHTS and isinstance(held, str):
            seen[field.name] = ""
        elif field.name in TEXTS:
            seen[field.name] = redaction.value(held)
        else:
            seen[field.name] = _covered(held, redaction, private=private)
    return replace(value, **seen)
