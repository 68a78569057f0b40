"""The loop over a small random network: held against the network without a cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.errors import NonFiniteError
from qwen3_mlx.generation import decode
from qwen3_mlx.generation.decode import StepByStep, prefill, stream
from qwen3_mlx.generation.sampling import Choice, Sampler, SamplingOptions
from qwen3_mlx.generation.steps import Judge, Part, TokenStep, Verdict
from qwen3_mlx.model.cache import KVCache, make_cache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.qwen3 import Qwen3

VOCAB = 40
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6]
GREEDY = SamplingOptions()
SEEDED = SamplingOptions(temperature=1.5, top_k=10, seed=11)


@pytest.fixture(scope="module")
def model() -> Qwen3:
    mx.random.seed(5)
    config = Qwen3Config(
        model_type="qwen3",
        vocab_size=VOCAB,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        intermediate_size=32,
        rms_norm_eps=1e-6,
        rope_theta=1e4,
        max_position_embeddings=512,
    )
    network = Qwen3(config)
    mx.eval(network)
    return network


def keep(token: int) -> Verdict:
    return Verdict(Part.ANSWER)


def begin(
    model: Qwen3,
    judge: Judge = keep,
    options: SamplingOptions = GREEDY,
    cache: list[KVCache] | None = None,
    prompt: Sequence[int] = PROMPT,
) -> Any:
    cache = make_cache(model.config) if cache is None else cache
    logits = prefill(model, prompt, cache)
    assert logits is not None
    sampler = Sampler(options, VOCAB)
    state = sampler.start(prompt, VOCAB)
    return stream(StepByStep(model, logits, cache, sampler, state), cache, judge)


def tokens(steps: Iterator[TokenStep], count: int) -> list[int]:
    return [step.token for step in islice(steps, count)]


def greedy_without_cache(model: Qwen3, ids: Sequence[int], count: int) -> list[int]:
    ids = list(ids)
    start = len(ids)
    for _ in range(count):
        ids.append(int(mx.argmax(model(mx.array([ids]))[0, -1]).item()))  # type: ignore[arg-type]
    return ids[start:]


def last_logits(model: Qwen3, ids: Sequence[int]) -> mx.array:
    return model(mx.array([list(ids)]))[:, -1]


def same(a: mx.array, b: mx.array) -> bool:
    return bool(mx.allclose(a, b, rtol=1e-4, atol=1e-5).item())


@pytest.mark.parametrize("chunk", [1, 3, 7, 8, 100])
def test_prefill_gives_the_logits_of_the_last_id(model: Qwen3, chunk: int) -> None:
    cache = make_cache(model.config)
    logits = prefill(model, PROMPT, cache, chunk=chunk)
    assert logits is not None
    assert logits.shape == (1, VOCAB)
    assert same(logits, last_logits(model, PROMPT))
    assert {layer.offset for layer in cache} == {len(PROMPT)}


def test_prefill_reports_each_chunk(model: Qwen3) -> None:
    reports: list[tuple[int, int]] = []
    cache = make_cache(model.config)
    prefill(model, PROMPT, cache, chunk=3, progress=lambda done, of: reports.append((done, of)))
    assert reports == [(3, 8), (6, 8), (8, 8)]
    prefill(model, [1, 2], cache, progress=lambda done, of: reports.append((done, of)))
    assert reports[-1] == (2, 2)


def test_prefill_computes_the_head_for_one_position(
    model: Qwen3, monkeypatch: pytest.MonkeyPatch
) -> None:
    positions: list[int] = []

    def head(network: Qwen3, x: mx.array) -> mx.array:
        positions.append(x.size // 16)
        return x

    monkeypatch.setattr(Qwen3, "_head", head)
    prefill(model, PROMPT, make_cache(model.config), chunk=3)
    assert positions == [1]


def test_a_cancelled_prefill_keeps_whole_chunks(model: Qwen3) -> None:
    answers = iter([False, False, True])
    cache = make_cache(model.config)
    assert prefill(model, PROMPT, cache, chunk=3, cancelled=lambda: next(answers)) is None
    assert {layer.offset for layer in cache} == {6}
    logits = prefill(model, PROMPT[6:], cache)
    assert logits is not None
    assert same(logits, last_logits(model, PROMPT))


def test_an_interrupted_prefill_keeps_whole_chunks(model: Qwen3) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 6:
            raise KeyboardInterrupt

    cache = make_cache(model.config)
    with pytest.raises(KeyboardInterrupt):
        prefill(model, PROMPT, cache, chunk=3, progress=interrupt)
    assert {layer.offset for layer in cache} == {6}


def test_a_prefill_that_fails_inside_a_layer_leaves_no_layer_ahead(
    model: Qwen3, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = make_cache(model.config)
    prefill(model, PROMPT[:3], cache)
    monkeypatch.setattr(cache[1], "update", lambda keys, values: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        prefill(model, PROMPT[3:], cache)
    assert [layer.offset for layer in cache] == [3, 3]


def test_greedy_equals_the_network_without_a_cache(model: Qwen3) -> None:
    assert tokens(begin(model), 30) == greedy_without_cache(model, PROMPT, 30)


@pytest.mark.parametrize(
    ("on_gpu", "order"),
    [
        (True, ["queue 0", "queue 1", "read 0", "show 0", "queue 2", "read 1", "show 1"]),
        # The CPU backend computes most of a step before it returns from queueing it.
        (False, ["queue 0", "read 0", "show 0", "queue 1", "read 1", "show 1"]),
    ],
)
def test_the_next_step_is_queued_before_a_token_is_read_where_that_is_no_delay(
    model: Qwen3, monkeypatch: pytest.MonkeyPatch, on_gpu: bool, order: list[str]
) -> None:
    told: list[str] = []
    choices: list[Choice] = []
    really_queue, really_read = decode.queue, decode.read

    def tell(what: str, choice: Choice) -> None:
        if not any(choice is known for known in choices):
            choices.append(choice)
        number = next(i for i, known in enumerate(choices) if known is choice)
        line = f"{what} {number}"
        if line not in told:  # queueing again does nothing
            told.append(line)

    def queue(choice: Choice) -> Choice:
        tell("queue", choice)
        return really_queue(choice)

    def read(choice: Choice) -> int:
        tell("read", choice)
        return really_read(choice)

    monkeypatch.setattr(decode, "on_gpu", lambda: on_gpu)
    monkeypatch.setattr(decode, "queue", queue)
    monkeypatch.setattr(decode, "read", read)
    with closing(begin(model)) as steps:
        for number, _ in enumerate(islice(steps, 2)):
            told.append(f"show {number}")
    assert told == order


@pytest.mark.parametrize("count", [1, 2, 7])
def test_after_closing_the_cache_holds_what_was_yielded(model: Qwen3, count: int) -> None:
    cache = make_cache(model.config)
    with closing(begin(model, cache=cache)) as steps:
        said = tokens(steps, count)
    assert {layer.offset for layer in cache} == {len(PROMPT) + count}
    logits = prefill(model, [7], cache)
    assert logits is not None
    assert same(logits, last_logits(model, [*PROMPT, *said, 7]))


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_after_an_error_the_cache_holds_what_was_yielded(
    model: Qwen3, error: type[BaseException]
) -> None:
    cache = make_cache(model.config)
    said: list[int] = []

    def judge(token: int) -> Verdict:
        if len(said) == 3:
            raise error
        return Verdict(Part.ANSWER)

    with pytest.raises(error):
        said.extend(step.token for step in begin(model, judge, cache=cache))
    assert {layer.offset for layer in cache} == {len(PROMPT) + 3}


def test_the_last_token_ends_the_stream(model: Qwen3) -> None:
    def judge(token: int) -> Verdict:
        seen.append(token)
        return Verdict(Part.END if len(seen) == 4 else Part.ANSWER, last=len(seen) == 4)

    seen: list[int] = []
    cache = make_cache(model.config)
    steps = list(begin(model, judge, cache=cache))
    assert [step.part for step in steps] == [Part.ANSWER] * 3 + [Part.END]
    assert {layer.offset for layer in cache} == {len(PROMPT) + 4}


@settings(max_examples=40, deadline=None)
@given(
    at=st.integers(0, 6),
    dropped=st.booleans(),
    injected=st.lists(st.integers(0, VOCAB - 1), min_size=1, max_size=5),
    options=st.sampled_from([GREEDY, SEEDED]),
)
def test_injected_ids_are_followed_as_if_they_had_been_the_prompt(
    model: Qwen3, at: int, dropped: bool, injected: list[int], options: SamplingOptions
) -> None:
    count = 0

    def judge(token: int) -> Verdict:
        nonlocal count
        count += 1
        if count != at + 1:
            return Verdict(Part.ANSWER)
        return Verdict(Part.DROPPED if dropped else Part.THOUGHT, tuple(injected))

    cache = make_cache(model.config)
    with closing(begin(model, judge, options, cache)) as steps:
        said = tokens(steps, at + (not dropped) + len(injected) + 4)
    before = said[: at + (not dropped)]
    assert said[len(before) :][: len(injected)] == injected
    if options is GREEDY:
        assert before == greedy_without_cache(model, PROMPT, len(before))
        start = [*PROMPT, *before, *injected]
        assert said[len(before) + len(injected) :] == greedy_without_cache(model, start, 4)
    assert {layer.offset for layer in cache} == {len(PROMPT) + len(said)}
    logits = prefill(model, [7], cache)
    assert logits is not None
    assert same(logits, last_logits(model, [*PROMPT, *said, 7]))


def test_closing_among_injected_ids_keeps_only_those_yielded(model: Qwen3) -> None:
    cache = make_cache(model.config)
    judge: Callable[[int], Verdict] = lambda token: Verdict(Part.THOUGHT, (1, 2, 3, 4))  # noqa: E731
    with closing(begin(model, judge, cache=cache)) as steps:
        said = tokens(steps, 3)
    assert said[1:] == [1, 2]
    assert {layer.offset for layer in cache} == {len(PROMPT) + 3}


def test_the_same_seed_gives_the_same_tokens(model: Qwen3) -> None:
    assert tokens(begin(model, options=SEEDED), 20) == tokens(begin(model, options=SEEDED), 20)


def test_penalties_see_prompt_reply_and_injected_ids(model: Qwen3) -> None:
    def judge(token: int) -> Verdict:
        return Verdict(Part.ANSWER, next(injections, ()))

    injections = iter([(30, 31)])
    said = tokens(begin(model, judge, SamplingOptions(repetition_penalty=1e6)), 20)
    assert 30 in said
    assert len(set(said + PROMPT)) == len(said) + len(set(PROMPT))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_not_finite_end_it_with_an_error(model: Qwen3, bad: float) -> None:
    damaged = Qwen3(model.config)
    damaged.model.norm.weight = mx.full((16,), bad)
    cache = make_cache(model.config)
    with pytest.raises(NonFiniteError) as error:
        next(begin(damaged, cache=cache))
    assert error.value.hint
    assert error.value.exit_code == 5
    assert {layer.offset for layer in cache} == {len(PROMPT)}
