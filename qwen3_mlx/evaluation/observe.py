"""What a model's answer would have been at every moment of its thinking.

Knows how to watch a reply without touching it. Does not know what to conclude: see `calibrate`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qwen3_mlx.events import Done, Reply, ThinkingDelta
from qwen3_mlx.generation.auto import Forced
from qwen3_mlx.generation.decode import StepByStep
from qwen3_mlx.generation.difficulty import Difficulty, difficulty
from qwen3_mlx.generation.engine import Answering, Engine
from qwen3_mlx.generation.prefix import Prefix
from qwen3_mlx.generation.probe import Probe
from qwen3_mlx.generation.prompt import Request
from qwen3_mlx.generation.sight import Sight
from qwen3_mlx.generation.thinking import ThinkingBudget


@dataclass(frozen=True, slots=True)
class Look:
    """What was seen after some tokens of thought.

    Attributes:
        used: These tokens; 0 for the answer without a thought.
        answer: Its first tokens.
        certainty: The smallest of their probabilities.
        right: Whether that answer is right.
        margin: At the end of a sentence, how many nats `</think>` was behind; None elsewhere.
    """

    used: int
    answer: tuple[int, ...]
    certainty: float
    right: bool
    margin: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """One task, thought about to its end.

    Attributes:
        difficulty: How hard its prompt looked.
        looks: In the order of the thoughts; the first one before any.
        thinking_tokens: Of all thoughts.
        right: Whether the answer after them is right.
    """

    difficulty: Difficulty
    looks: tuple[Look, ...]
    thinking_tokens: int
    right: bool


@dataclass(frozen=True, slots=True)
class _Seen:
    used: int
    forced: Forced
    margin: float | None = None


def observe(
    engine: Engine, prompt: str, is_right: Callable[[str], bool], *, every: int, cap: int
) -> Observation:
    """Let a model think about a prompt, and look at its answer every so many tokens.

    Args:
        engine: Has no drafter; its calibration says what is put before an answer.
        is_right: Judges an answer.
        every: Tokens from one look to the next.
        cap: Tokens of thought at most.

    Raises:
        UsageError, ContextOverflowError, NonFiniteError: as for `LLM.generate`.
    """
    request = Request([{"role": "user", "content": prompt}], ThinkingBudget(cap, given=False))
    prefix = Prefix(engine.model)
    sight = _read(engine, request, prefix)
    at_once = _Seen(0, sight.at_once(engine.writer().write(request).block))
    seen, reply = _follow(Answering(engine, request, prefix), sight, every)
    decode = engine.tokenizer.decode
    right = is_right(reply.answer)
    looks = tuple(_judged(look, decode, is_right, reply.answer, right) for look in (at_once, *seen))
    hard = difficulty(prompt, at_once.forced.entropy)
    return Observation(hard, looks, reply.usage.thinking_tokens, right)


def _read(engine: Engine, request: Request, prefix: Prefix) -> Sight:
    """Let the model read the prompt; what can be seen of it then."""
    ids = engine.writer().write(request).ids
    prefix.read(ids, chunk=engine.prefill_chunk, progress=None, cancelled=lambda: False)
    tokenizer = engine.tokenizer
    probe = Probe(engine.model, prefix.cache, tokenizer.vocab_size, tokenizer.eos_ids)
    return Sight(probe, tokenizer, engine.stop_instruction, engine.calibration.lead)


def _follow(answering: Answering, sight: Sight, every: int) -> tuple[list[_Seen], Reply]:
    """The looks at a reply as it comes, and the reply."""
    seen: list[_Seen] = []
    for event in answering.events():
        if isinstance(event, Done):
            return seen, event.reply
        if isinstance(event, ThinkingDelta):
            sight.decoding = _plain(answering)
            ends = sight.ends_sentence()
            if ends or event.used % every == 0:
                margin = sight.margin() if ends else None
                seen.append(_Seen(event.used, sight.answer(0.0), margin))
    raise RuntimeError("a reply ends with Done")


def _plain(answering: Answering) -> StepByStep | None:
    return answering.decoding if isinstance(answering.decoding, StepByStep) else None


def _judged(
    seen: _Seen,
    decode: Callable[[list[int]], str],
    is_right: Callable[[str], bool],
    answer: str,
    right: bool,
) -> Look:
    """A look with its judgement; one that is the beginning of the answer is as right as that."""
    text = decode(list(seen.forced.ids))
    same = answer.startswith(text)
    judged = right if same else is_right(text)
    return Look(seen.used, seen.forced.ids, seen.forced.certainty, judged, seen.margin)
