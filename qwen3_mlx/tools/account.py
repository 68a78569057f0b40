"""What the steps of a tool chain come to together.

Knows how counts, times and thoughts of steps add up. Does not know how steps come about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from qwen3_mlx.events import AutoReport, FinishReason, Reply, Step, StopThinking, Timing, Usage


def whole_reply(
    steps: Sequence[Step], finish_reason: FinishReason, auto: AutoReport | None
) -> Reply:
    """The reply of a chain; see :class:`qwen3_mlx.events.Reply`.

    Args:
        steps: At least one.
        auto: What a budget that sets itself did, in the first step.
    """
    last = steps[-1]
    return Reply(
        answer=last.answer,
        thinking="\n\n".join(step.thinking for step in steps if step.thinking),
        tool_calls=last.tool_calls[len(last.results) :],
        stop_thinking=_last_stop(steps),
        finish_reason=finish_reason,
        usage=whole_usage([step.usage for step in steps]),
        timing=whole_timing([step.timing for step in steps]),
        auto=auto,
        steps=tuple(steps),
    )


def whole_usage(usages: Sequence[Usage]) -> Usage:
    """Tokens of all steps; the prompt is that of the last one."""
    return replace(
        usages[-1],
        thinking_tokens=sum(usage.thinking_tokens for usage in usages),
        injected_tokens=sum(usage.injected_tokens for usage in usages),
        answer_tokens=sum(usage.answer_tokens for usage in usages),
        drafted_tokens=sum(usage.drafted_tokens for usage in usages),
        accepted_tokens=sum(usage.accepted_tokens for usage in usages),
        probed_tokens=sum(usage.probed_tokens for usage in usages),
    )


def whole_timing(timings: Sequence[Timing]) -> Timing:
    """Seconds of all steps, and rates over all of them; tools take none of it."""
    prefill = [(t.prefill_seconds, t.prefill_tokens_per_second) for t in timings]
    decode = [(t.decode_seconds, t.decode_tokens_per_second) for t in timings]
    return replace(
        timings[0],
        prefill_seconds=sum(seconds for seconds, _ in prefill),
        decode_seconds=sum(seconds for seconds, _ in decode),
        prefill_tokens_per_second=_mean_rate(prefill),
        decode_tokens_per_second=_mean_rate(decode),
        peak_memory_bytes=max(timing.peak_memory_bytes for timing in timings),
    )


def counted(usage: Usage) -> int:
    """Tokens that count against `max_tokens`."""
    return usage.thinking_tokens + usage.injected_tokens + usage.answer_tokens


def _last_stop(steps: Iterable[Step]) -> StopThinking:
    """Why the last thoughts ended: a step that could not think any more says nothing of that."""
    stops = [step.stop_thinking for step in steps]
    return next((stop for stop in reversed(stops) if stop != "off"), "off")


def _mean_rate(parts: Sequence[tuple[float, float]]) -> float:
    """The rate over all parts, each its seconds and its rate."""
    seconds = sum(seconds for seconds, _ in parts)
    return sum(seconds * rate for seconds, rate in parts) / seconds if seconds > 0 else 0.0
