"""A look at an answer is the answer, and leaves no trace."""

from __future__ import annotations

import math

import mlx.core as mx
import pytest

import qwen3_mlx
from qwen3_mlx import LLM
from qwen3_mlx.generation.decode import prefill
from qwen3_mlx.generation.probe import Probe
from qwen3_mlx.text.template import ChatTemplate

MESSAGES = [{"role": "user", "content": "What is 4 + 5?"}]


@pytest.fixture(scope="module")
def llm() -> LLM:
    return qwen3_mlx.load("tiny")


def prompt_of(llm: LLM) -> list[int]:
    template: ChatTemplate = llm.template
    pieces = template.render(MESSAGES, thinking=False)  # type: ignore[arg-type]
    return llm.tokenizer.encode_pieces(pieces)


def naive(llm: LLM, ids: list[int], count: int) -> tuple[list[int], list[float], float]:
    """The same without a cache: the whole text is read for every token."""
    answer: list[int] = []
    probabilities, entropy = [], 0.0
    while True:
        logits = llm.model(mx.array([ids + answer]))[0, -1, : llm.tokenizer.vocab_size]
        shares = [float(p) for p in mx.softmax(logits).tolist()]  # type: ignore[arg-type,union-attr]
        best = max(range(len(shares)), key=shares.__getitem__)
        probabilities.append(shares[best])
        entropy = max(entropy, -sum(p * math.log(p) for p in shares if p > 0))
        if best in llm.tokenizer.eos_ids:
            return answer, probabilities, entropy
        answer.append(best)
        if len(answer) == count:
            return answer, probabilities, entropy


@pytest.mark.parametrize("longest", [1, 3, 16])
def test_it_is_what_reading_everything_anew_gives(llm: LLM, longest: int) -> None:
    ids = prompt_of(llm)
    cache = llm.model.make_cache()
    prefill(llm.model, ids[:-2], cache)
    probe = Probe(llm.model, cache, llm.tokenizer.vocab_size, llm.tokenizer.eos_ids)
    forced = probe.look(ids[-2:], longest=longest)
    answer, probabilities, entropy = naive(llm, ids, longest)
    assert list(forced.ids) == answer
    assert forced.probabilities == pytest.approx(probabilities, rel=1e-3)
    assert forced.entropy == pytest.approx(entropy, rel=1e-2, abs=1e-6)
    assert probe.tokens == 2 + len(forced.probabilities) - 1


def test_the_cache_is_as_it_was(llm: LLM) -> None:
    ids = prompt_of(llm)
    cache = llm.model.make_cache()
    prefill(llm.model, ids[:-1], cache)
    before = [mx.array(layer.keys) for layer in cache]
    Probe(llm.model, cache, llm.tokenizer.vocab_size, llm.tokenizer.eos_ids).look(ids[-1:])
    assert [layer.offset for layer in cache] == [len(ids) - 1] * len(cache)
    for layer, keys in zip(cache, before, strict=True):
        assert mx.array_equal(layer.keys, keys)


def test_it_goes_no_further_than_to_an_unlikely_token(llm: LLM) -> None:
    ids = prompt_of(llm)
    cache = llm.model.make_cache()
    prefill(llm.model, ids[:-1], cache)
    probe = Probe(llm.model, cache, llm.tokenizer.vocab_size, llm.tokenizer.eos_ids)
    whole = probe.look(ids[-1:])
    floor = sorted(whole.probabilities)[1]  # all but one token are as likely
    first = whole.probabilities.index(whole.certainty)
    assert probe.look(ids[-1:], floor=floor).probabilities == pytest.approx(
        whole.probabilities[: first + 1]
    )
