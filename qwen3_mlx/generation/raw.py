"""Ids continued as they are: no template, no thinking gate, no end but a number.

Knows what of an engine that takes, and checks ids before the model sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice

from qwen3_mlx.errors import UsageError, check_type
from qwen3_mlx.generation.decode import StepByStep, prefill, stream
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.limits import check_max_tokens, check_prompt
from qwen3_mlx.generation.sampling import Sampler, SamplingOptions
from qwen3_mlx.generation.steps import Part, Verdict
from qwen3_mlx.model.qwen3 import check_ids


def continue_ids(
    engine: Engine, ids: Sequence[int], max_tokens: int, options: SamplingOptions
) -> Iterator[int]:
    """The ids that follow, one at a time; fewer than `max_tokens` where the context ends.

    Raises:
        UsageError: no ids, ids outside the vocabulary, or `max_tokens` below 1.
        ContextOverflowError: as many ids as the context, or more.
        NonFiniteError: (with an id) the model's numbers are not finite.
    """
    if not isinstance(ids, Sequence) or not ids:
        raise UsageError("there are no ids to continue", hint="Give a list of whole numbers.")
    check_ids(ids, engine.model.config)
    check_type("max_tokens", max_tokens, int)
    check_max_tokens(max_tokens)
    check_prompt(len(ids), engine.context_length)
    sampler = Sampler(options, engine.tokenizer.vocab_size)
    return islice(_endless(engine, ids, sampler), min(max_tokens, engine.context_length - len(ids)))


def _endless(engine: Engine, ids: Sequence[int], sampler: Sampler) -> Iterator[int]:
    cache = engine.model.make_cache()
    logits = prefill(engine.model, ids, cache, chunk=engine.prefill_chunk)
    if logits is None:
        return
    state = sampler.start(ids, logits.shape[-1])
    decoding = StepByStep(engine.model, logits, cache, sampler, state)
    with closing(stream(decoding, cache, _keep)) as steps:
        for step in steps:
            yield step.token


def _keep(_token: int) -> Verdict:
    return Verdict(Part.ANSWER)
