"""The short lines around an answer: how far the thinking is, how it ended, how the turn ended.

Knows words, numbers and widths. Knows nothing of terminals: every function returns plain text, in
its long form when that fits the width and in a short one when it does not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from qwen3_mlx.events import Reply, StopThinking, ThinkingChosen, ThinkingStopped
from qwen3_mlx.memory import shown_bytes

if TYPE_CHECKING:
    from qwen3_mlx.chat import Conversation
    from qwen3_mlx.generation.mode import Thinking
    from qwen3_mlx.generation.thinking import AutoBudget

_STOPPED_BY: dict[StopThinking, str] = {
    "natural": "by itself",
    "budget": "by the budget",
    "user": "by you",
    "length": "for lack of room",
}
_SEPARATOR = " · "
NEARLY_FULL = 0.8


def seconds(value: float) -> str:
    """A duration: `3.2 s`, `2 min 05 s`."""
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02d} s"


def tokens(count: int) -> str:
    """A count with its noun: `1 token`, `12 tokens`."""
    return "1 token" if count == 1 else f"{count} tokens"


def turns(count: int) -> str:
    """A count with its noun: `1 turn`, `3 turns`."""
    return "1 turn" if count == 1 else f"{count} turns"


def progress(used: int, budget: int | None) -> str:
    """What is used of the budget: `118/512`, or the count alone when there is no end."""
    return tokens(used) if budget is None else f"{used}/{budget}"


def budget(limit: int | AutoBudget | None) -> str:
    """What a thinking budget stands at."""
    if limit is not None and not isinstance(limit, int):
        return f"thinking budget: {limit}"
    if limit == 0:
        return "thinking budget: 0 tokens, so it answers at once"
    return f"thinking budget: {'no end' if limit is None else tokens(limit)}"


def mode(*, thinks: Thinking, budget: int | AutoBudget | None, room: int) -> str:
    """How the next turn begins: `thinks up to 512 tokens`.

    Args:
        thinks: Whether it thinks.
        budget: Of its thoughts.
        room: Tokens of thought that context and reply leave at most.
    """
    if not thinks:
        return "answers at once"
    if budget == 0:
        return "answers at once (budget 0)"
    if room == 0:
        return "answers at once (no room to think)"
    if thinks == "auto":
        return f"{mode(thinks=True, budget=budget, room=room)}, but not to look things up"
    if budget is not None and not isinstance(budget, int):
        return f"thinks as it needs (budget {budget})"
    return "thinks without end" if budget is None else f"thinks up to {tokens(min(budget, room))}"


def next_turn(conversation: Conversation, thinks: Thinking | None = None) -> str:
    """As `mode`, of a conversation; `thinks` where a word that was typed says so."""
    return mode(
        thinks=conversation.thinks if thinks is None else thinks,
        budget=conversation.budget.setting,
        room=conversation.thinking_room,
    )


def speed(rate: float | None) -> str:
    """Tokens a second; a dash as long as they are not known."""
    return f"{rate:.0f} tok/s" if rate else "– tok/s"


def thought(event: ThinkingStopped, budget: int | None, width: int | None = None) -> str:
    """What is left of the thinking when it is over.

    Args:
        event: How it ended.
        budget: What it was counted against, None when there was no end.
        width: Columns there are, None when it does not matter.
    """
    if event.reason == "length" and not event.thinking_tokens:
        return f"no room to think: {event.why}"
    used, time = event.thinking_tokens, seconds(event.seconds)
    if used and budget == 0:
        budget = None  # it was turned to 0 meanwhile: there is nothing to count against
    cause = event.why or _STOPPED_BY.get(event.reason, "")
    of_budget = tokens(used) if budget is None else f"{used} of {tokens(budget)}"
    stopped = f"stopped: {cause}" if event.why else cause and f"stopped {cause}"
    long = joined(f"thought for {time}", of_budget, stopped)
    if width is None or len(long) <= width:
        return long
    return joined(f"thought {time}", progress(used, budget), cause)


def chosen(event: ThinkingChosen, key: str = "") -> str:
    """What `--thinking auto` chose: `lookup-like: not thinking, /think to change`.

    Args:
        event: The choice.
        key: Changes it for this turn; empty where no key is heard.
    """
    how = "thinking, /no_think" if event.think else "not thinking, /think"
    return joined(f"{event.reason}: {how} to change", key and other_way(event, key))


def other_way(event: ThinkingChosen, key: str) -> str:
    """What a key does that changes the choice for this turn."""
    return f"{key}: answer now" if event.think else f"{key}: think now"


def again(*, thinks: bool) -> str:
    """What is said when a turn begins again in the other way."""
    return f"again, {'thinking' if thinks else 'not thinking'}"


def ending(reply: Reply, max_tokens: int | None = None) -> str | None:
    """What a person should know about the end of a turn, if it was not the model's own.

    Args:
        reply: Of the turn.
        max_tokens: Of the reply, None where the context alone ends it.
    """
    if reply.finish_reason == "user":
        return _stopped(reply)
    if reply.finish_reason == "length":
        return _cut(reply, max_tokens)
    if reply.tool_calls:
        return f"asked for {joined(*(call.name for call in reply.tool_calls))}; no tools run here"
    return None


def _cut(reply: Reply, max_tokens: int | None) -> str:
    usage = reply.usage
    written = usage.thinking_tokens + usage.injected_tokens + usage.answer_tokens
    if max_tokens is not None and written >= max_tokens:
        return f"cut off: max_tokens is {max_tokens}"
    return "cut off: the context is full"


def _stopped(reply: Reply) -> str:
    if reply.answer:
        return "stopped"
    if any(step.results for step in reply.steps):
        return "stopped before an answer; what the tools said is kept"
    return "stopped before an answer; the question is taken back"


def statistics(reply: Reply) -> str:
    """The figures of a turn in one line."""
    timing = reply.timing
    return joined(
        tokens(reply.usage.answer_tokens),
        timing.decode_tokens_per_second and speed(timing.decode_tokens_per_second),
        f"first token after {timing.first_token_seconds:.2f} s",
    )


def figures(reply: Reply) -> list[str]:
    """All figures of a turn, a line each for prompt, tokens and memory."""
    usage, timing = reply.usage, reply.timing
    return [
        joined(
            f"prompt {tokens(usage.prompt_tokens)}",
            f"{usage.cached_tokens} of them read before",
            timing.prefill_tokens_per_second and speed(timing.prefill_tokens_per_second),
        ),
        joined(f"thoughts {tokens(usage.thinking_tokens)}", f"answer {statistics(reply)}"),
        f"memory {shown_bytes(timing.peak_memory_bytes)} at most",
    ]


def toolbar(model: str, mode: str, *, used: int, context: int, width: int) -> str:
    """How the next turn would go: what answers, how it begins, how full the context is.

    Args:
        model: Its name.
        mode: See `mode`.
        used: Tokens of the context that are read.
        context: Tokens that it holds.
        width: Columns there are.
    """
    full = used > NEARLY_FULL * context and "nearly full"
    part = f"{used / context:.0%}"
    forms = (
        joined(model, mode, f"context {used} of {context} ({part})", full),
        joined(model, mode, f"{part} full"),
        joined(mode, f"{part} full"),
    )
    return next((form for form in forms if len(form) <= width), forms[-1])


def context(used: int, limit: int, talk: int) -> str:
    """How much of the context a talk of so many turns takes."""
    return f"context: {used} of {limit} tokens ({used / limit:.0%}), {turns(talk)}"


def shortened(text: str, width: int) -> str:
    """The beginning of a text on one line, with an ellipsis where some is missing."""
    line = " ".join(text.split())
    return line if len(line) <= width else f"{line[: width - 1]}…"


def joined(*parts: str | float | None) -> str:
    """The parts that say something, on one line."""
    return _SEPARATOR.join(str(part) for part in parts if part)
