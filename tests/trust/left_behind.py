"""What an interrupted turn leaves in a conversation, held against what it should.

Knows the same turn as it goes without an interrupt, and a conversation that has read nothing yet.
Does not know how the turn was interrupted.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from threading import Thread

import mlx.core as mx

from qwen3_mlx.chat import Conversation
from qwen3_mlx.events import (
    AnswerDelta,
    Done,
    Event,
    Step,
    StepDone,
    ThinkingStopped,
    Timing,
    ToolResult,
    Usage,
)
from qwen3_mlx.generation.shared import common_prefix
from qwen3_mlx.text.pieces import Message
from qwen3_mlx.text.qwen3_format import content_of

TOLERANCE = 2e-2
"""Between numbers of tokens read one by one and of the same tokens read together."""

NEXT = "And 7 + 8?"
NEXT_TOKENS = 12
PATIENCE = 60.0


@dataclass
class Seen:
    """A turn, as far as it came.

    Attributes:
        before: The messages before it.
        events: What it told.
        ids: What was in the cache before it, and at each event.
        messages: The messages after it.
    """

    before: list[Message]
    events: list[Event]
    ids: list[list[int]]
    messages: list[Message]

    def wholes(self) -> list[list[int]]:
        """All prompts and replies that the cache held, the longest of those that go on alike."""
        ends = [a for a, b in pairwise(self.ids) if b[: len(a)] != a]
        return [*ends, self.ids[-1]]


def fault_of_ids(chat: Conversation, seen: Seen, whole: Seen, *, reading: bool) -> str:
    """Whether the cache is noted to hold other ids than the prompt and what was shown.

    Args:
        chat: After the interrupt.
        seen: The turn that was interrupted.
        whole: The turn that was not.
        reading: Whether the interrupt came while a prompt was read.
    """
    ids = chat._prefix.ids
    if not any(ids == held[: len(ids)] for held in whole.wholes()):
        return "ids that are none of this turn's"
    count = common_prefix([*map(_plain, seen.events)], [*map(_plain, whole.events)])
    least, most = [*whole.ids, whole.ids[-1]][count : count + 2]
    if reading or most[: len(least)] != least:  # a prompt is read after the last event
        return ""
    right = len(least) <= len(ids) <= len(most)
    return "" if right else f"{len(ids)} ids, not {len(least)} to {len(most)}"


def fault_of_cache(chat: Conversation) -> str:
    """Whether the cache holds less than its ids, or other numbers than a fresh one does."""
    prefix = chat._prefix
    length = len(prefix.ids)
    if any(layer.offset < length for layer in prefix.cache):
        return "less in the cache than noted"
    if not length:
        return ""
    model = chat._engine.model
    fresh = model.make_cache()
    mx.eval(model.last_logits(mx.array([prefix.ids]), fresh))
    for layer, other in zip(prefix.cache, fresh, strict=True):
        for held, right in ((layer.keys, other.keys), (layer.values, other.values)):
            if not mx.allclose(held[..., :length, :], right, rtol=TOLERANCE, atol=TOLERANCE):
                return "other numbers in the cache"
    return ""


def is_exact(chat: Conversation) -> bool:
    """Whether the cache holds no token more than its ids."""
    return {layer.offset for layer in chat._prefix.cache} == {len(chat._prefix.ids)}


def fault_of_messages(chat: Conversation, seen: Seen, whole: Seen) -> str:
    """Whether the turn is not kept as promised: as far as its answer or results came, or not."""
    start = len(seen.before)
    if chat.messages[:start] != seen.before:
        return "earlier messages changed"
    kept, right = chat.messages[start:], whole.messages[start:]
    if not kept:
        return "the turn is lost" if any(map(_counts, seen.events)) else ""
    if kept == right:
        return ""
    return "" if _is_cut(kept, right) else "the turn is kept in another form"


def _counts(event: Event) -> bool:
    """Whether a turn that told this is kept."""
    if isinstance(event, Done):
        return event.reply.finish_reason != "user"
    return isinstance(event, ToolResult) or (isinstance(event, AnswerDelta) and event.text != "")


def _is_cut(kept: Sequence[Message], whole: Sequence[Message]) -> bool:
    """Whether these are the first messages of a turn, the last of the model cut and marked."""
    last = max((i for i, message in enumerate(kept) if message["role"] == "assistant"), default=0)
    if last == 0 or len(kept) > len(whole) or kept[last].get("interrupted") is not True:
        return False
    return (
        kept[:last] == whole[:last]
        and _begins(whole[last], kept[last])
        and kept[last + 1 :] == whole[last + 1 : len(kept)]
    )


def _begins(whole: Message, cut: Message) -> bool:
    whole_calls, calls = (list(message.get("tool_calls") or ()) for message in (whole, cut))
    return (
        content_of(whole).startswith(content_of(cut))
        and str(whole["reasoning_content"]).startswith(str(cut["reasoning_content"]))
        and whole_calls[: len(calls)] == calls
    )


def fault_of_reading_ahead(chat: Conversation) -> str:
    """Whether another thread cannot read ahead now, or leaves something to be read."""
    read: list[bool] = []
    thread = Thread(target=lambda: read.append(chat.read_ahead()), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if thread.is_alive():
        return "reading ahead hangs"
    return "" if read == [True] else "nothing is read ahead"


def fault_of_next(chat: Conversation, fresh: Conversation) -> str:
    """Whether the next turn is another than that of a conversation with the same messages."""
    fresh.messages = copy.deepcopy(chat.messages)
    said, right = _next(chat), _next(fresh)
    if said != right:
        return f"the next turn differs from event {common_prefix(said, right)} on"
    if chat._prefix.ids != fresh._prefix.ids or chat.messages != fresh.messages:
        return "the next turn leaves something else"
    return "" if is_exact(chat) else "the next turn leaves more in the cache than noted"


def _next(chat: Conversation) -> list[object]:
    chat.max_tokens = NEXT_TOKENS
    return [_plain(event) for event in chat.stream(NEXT, thinking=False)]


def _plain(event: Event) -> object:
    """An event without what depends on clocks or on what was cached."""
    if isinstance(event, Done):
        steps = tuple(map(_plain_step, event.reply.steps))
        usage, timing = _plain_usage(event.reply.usage), Timing()
        return replace(event.reply, steps=steps, usage=usage, timing=timing)
    if isinstance(event, StepDone):
        return _plain_step(event.step)
    return replace(event, seconds=0.0) if isinstance(event, ThinkingStopped | ToolResult) else event


def _plain_step(step: Step) -> Step:
    results = tuple(replace(result, seconds=0.0) for result in step.results)
    return replace(step, results=results, usage=_plain_usage(step.usage), timing=Timing())


def _plain_usage(usage: Usage) -> Usage:
    return replace(usage, cached_tokens=0, drafted_tokens=0, accepted_tokens=0)
