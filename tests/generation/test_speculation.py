"""With guesses, right or wrong, the same tokens come as without."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.generation.decode import StepByStep, prefill, stream
from qwen3_mlx.generation.drafting import Drafter, DraftModel, PromptLookup
from qwen3_mlx.generation.pace import PROBE, RETRY_EVERY, Pace
from qwen3_mlx.generation.sampling import Sampler, SamplingOptions
from qwen3_mlx.generation.speculation import Speculative
from qwen3_mlx.generation.steps import Judge, Part, Verdict
from qwen3_mlx.model import Qwen3, Qwen3Config, make_cache
from qwen3_mlx.model.cache import KVCache, LayerCache

M = TypeVar("M", bound=Qwen3)

VOCAB = 40
PROMPT = [3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5]
COUNT = 40
OPTIONS = {
    "greedy": SamplingOptions(),
    "sampled": SamplingOptions(temperature=0.8, top_p=0.9, seed=7),
    "penalized": SamplingOptions(
        temperature=0.6, top_k=20, presence_penalty=1.5, repetition_penalty=1.2, seed=3
    ),
}


class Always(Pace):
    """Guesses whatever it costs."""

    def pays(self) -> bool:
        return True


class Oracle:
    """Guesses what it was told will come, with every `wrong`-th guess spoiled."""

    def __init__(self, reply: Sequence[int], wrong: int) -> None:
        self._all = [*PROMPT, *reply]
        self._wrong = wrong

    def propose(self, ids: Sequence[int]) -> list[int]:
        start = len(ids)
        return [
            (token + (self._wrong > 0 and i % self._wrong == 0)) % VOCAB
            for i, token in enumerate(self._all[start : start + 5], start)
        ]


@pytest.fixture
def model() -> Qwen3:
    return same_network()


@cache
def same_network() -> Qwen3:
    return network(seed=5)


def network(seed: int, kind: type[M] = Qwen3) -> M:  # type: ignore[assignment]
    mx.random.seed(seed)
    config = Qwen3Config(
        model_type="qwen3",
        vocab_size=VOCAB,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=16,
        intermediate_size=48,
        rms_norm_eps=1e-6,
        rope_theta=1e4,
        max_position_embeddings=512,
    )
    model = kind(config)
    mx.eval(model)
    return model


def keep(token: int) -> Verdict:
    return Verdict(Part.ANSWER)


def decode(
    model: Qwen3, options: SamplingOptions, judge: Judge = keep, drafter: Drafter | None = None
) -> tuple[list[int], int]:
    """The first tokens, and what the cache holds when they have come."""
    held = make_cache(model.config)
    logits = prefill(model, PROMPT, held)
    assert logits is not None
    sampler = Sampler(options, VOCAB)
    common = model, logits, held, sampler, sampler.start(PROMPT, VOCAB)
    decoding = (
        StepByStep(*common)
        if drafter is None
        else Speculative(*common, prompt=PROMPT, drafter=drafter, pace=Always())
    )
    said: list[int] = []
    steps = stream(decoding, held, judge)
    for step in steps:
        said.append(step.token)
        if len(said) == COUNT:
            break
    steps.close()
    return said, held[0].offset


@pytest.fixture(params=OPTIONS)
def options(request: pytest.FixtureRequest) -> SamplingOptions:
    return OPTIONS[request.param]


@pytest.mark.parametrize("wrong", [0, 1, 2, 3])
def test_guesses_change_nothing(model: Qwen3, options: SamplingOptions, wrong: int) -> None:
    plain = decode(model, options)
    assert decode(model, options, drafter=Oracle(plain[0], wrong)) == plain
    assert plain[1] == len(PROMPT) + COUNT


@pytest.mark.parametrize(
    "make", [PromptLookup, lambda: DraftModel(network(seed=5), VOCAB)], ids=["lookup", "itself"]
)
def test_nor_do_those_of_real_drafters(
    model: Qwen3, options: SamplingOptions, make: Callable[[], Drafter]
) -> None:
    assert decode(model, options, drafter=make()) == decode(model, options)


class Noting(Qwen3):
    """Notes how many ids it reads at a time."""

    def __init__(self, config: Qwen3Config) -> None:
        super().__init__(config)
        self.sizes: list[int] = []

    def last_logits(self, ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        self.sizes.append(ids.size)
        return super().last_logits(ids, cache)

    def advance(self, ids: mx.array, cache: Sequence[KVCache]) -> mx.array:
        self.sizes.append(ids.size)
        return super().advance(ids, cache)


def test_a_draft_model_reads_a_long_prompt_in_parts() -> None:
    ids = [3, 1, 4, 1, 5] * 300
    noting = network(seed=5, kind=Noting)
    best = mx.argmax(noting.last_logits(mx.array([ids])), axis=-1).item()
    noting.sizes.clear()
    assert DraftModel(noting, VOCAB).propose(ids)[0] == best
    assert noting.sizes == [512, 512, 475, 1, 1, 1, 1]


def judging(drop: set[int], inject: set[int]) -> Judge:
    """Drops some tokens and injects three ids after others, by how many were judged before."""
    judged = iter(range(10**6))

    def judge(token: int) -> Verdict:
        number = next(judged)
        if number in drop:
            return Verdict(Part.DROPPED, (7, 8, 9))
        return Verdict(Part.THOUGHT, (10, 11) if number in inject else ())

    return judge


@settings(deadline=None, max_examples=50)
@given(
    drop=st.sets(st.integers(0, 30), max_size=4),
    inject=st.sets(st.integers(0, 30), max_size=4),
    wrong=st.integers(0, 4),
)
def test_nor_where_the_judge_steps_in(drop: set[int], inject: set[int], wrong: int) -> None:
    model, options = same_network(), OPTIONS["penalized"]
    plain = decode(model, options, judging(drop, inject))
    guessed = decode(model, options, judging(drop, inject), Oracle(plain[0], wrong))
    assert guessed == plain


def test_right_guesses_save_passes(model: Qwen3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five right guesses and the token after them in each pass of the network."""
    reply, _ = decode(model, OPTIONS["greedy"])
    passes: list[int] = []
    forward = Qwen3.__call__

    def counted(network: Qwen3, ids: mx.array, cache: object = None) -> mx.array:
        passes.append(ids.size)
        return forward(network, ids, cache)  # type: ignore[arg-type]

    monkeypatch.setattr(Qwen3, "__call__", counted)
    decode(model, OPTIONS["greedy"], drafter=Oracle(reply, 0))
    assert passes == [6] * 6 + [4]  # 1 + 6 x 6 + 3 tokens, and the last guesses run out


def test_lookup_proposes_what_followed_before() -> None:
    lookup = PromptLookup()
    assert lookup.propose([1, 2, 3, 4, 5, 6, 1, 2, 3]) == [4, 5, 6, 1, 2, 3]
    assert lookup.propose([1, 2, 3, 4, 5, 6, 1, 2, 3, 4]) == [5, 6, 1, 2, 3, 4]
    assert lookup.propose([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 9]) == []
    assert lookup.propose([1, 2, 3, 4, 5, 6, 1, 2, 3, 4, 9, 4, 9]) == [4, 9]
    assert lookup.propose([5, 5]) == []  # another conversation
    assert lookup.propose([]) == []


@given(st.lists(st.integers(0, 3), max_size=30))
def test_lookup_finds_the_last_place_of_the_longest_run(ids: list[int]) -> None:
    lookup, expected = PromptLookup(), []
    for length in (2, 3):
        for end in range(length, len(ids)):
            if ids[end - length : end] == ids[-length:]:
                expected = ids[end : end + 8]
        if length == 2 and not expected:
            break
    for end in range(0, len(ids), 4):
        lookup.propose(ids[:end])
    assert lookup.propose(ids) == expected


def spend(pace: Pace, seconds: float, *, guesses: int) -> None:
    """Passes that get every guess wrong: a token each."""
    if pace.pays() and guesses:
        pace.add(seconds, drafted=guesses, accepted=0)
    else:
        pace.add(1.0, drafted=0, accepted=0)


def test_wrong_guesses_are_soon_given_up_and_tried_again_at_times() -> None:
    """They cost 3 seconds a token where a plain pass costs 1."""
    pace = Pace()
    for _ in range(2 * RETRY_EVERY - 1):
        spend(pace, 3.0, guesses=4)
    assert pace.guessing.passes == 2 * PROBE
    assert pace.plain.per_token == pytest.approx(1.0)
    assert pace.guessing.per_token == pytest.approx(3.0)


def test_a_cold_start_is_soon_forgotten() -> None:
    """The first plain pass takes a minute, the others a second; a guess costs two a token."""
    pace = Pace()
    for number in range(RETRY_EVERY - 1):
        if pace.pays():
            pace.add(2.0, drafted=4, accepted=0)
        else:
            pace.add(1.0 if number else 60.0, drafted=0, accepted=0)
    assert pace.guessing.passes == PROBE


def test_right_guesses_go_on() -> None:
    """A pass with 4 right guesses costs 2 seconds: 0.4 a token."""
    pace = Pace()
    for _ in range(RETRY_EVERY - 1):
        drafted = 4 if pace.pays() else 0
        pace.add(2.0 if drafted else 1.0, drafted=drafted, accepted=drafted)
    assert pace.plain.passes == PROBE
    assert pace.guessing.per_token == pytest.approx(0.4)
