"""Those who run: the bundled model for real, mlx-lm on the same files, and peers that fail."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import pytest

import qwen3_mlx
from qwen3_mlx.errors import ModelTooLargeError, Qwen3Error, UsageError
from qwen3_mlx.measure import (
    MLX_LM,
    OURS,
    Holding,
    Ours,
    Peer,
    Plan,
    Sample,
    open_llama_cpp,
    open_mlx_lm,
    peers,
    prompt_ids,
    rows,
    steps,
    where,
)
from qwen3_mlx.measure.ours import QUESTIONS
from qwen3_mlx.runtime import LLM


@pytest.fixture(scope="module")
def loaded() -> tuple[LLM, int]:
    """The model, and what it takes."""
    holding = Holding()
    llm = qwen3_mlx.load("tiny", dtype=mx.float32)
    return llm, holding.bytes()


@pytest.fixture
def tiny(loaded: tuple[LLM, int]) -> LLM:
    return loaded[0]


@pytest.fixture
def ours(loaded: tuple[LLM, int]) -> Ours:
    return Ours(*loaded)


def test_mlx_lm_says_the_same_on_the_same_files(tiny: LLM, ours: Ours) -> None:
    """One round of a few tokens."""
    peer = open_mlx_lm(
        tiny.path, lambda length: prompt_ids(tiny.tokenizer, length), tiny.clock, mx.float32
    )
    (row,) = rows(steps(ours, [peer], Plan((24,), 6, 1)))
    assert row.same_ids(OURS, MLX_LM) is True
    assert row.figures[OURS].ids == tuple(
        tiny.stream_ids(prompt_ids(tiny.tokenizer, 24), max_tokens=6)
    )
    for name in (OURS, MLX_LM):
        figures = row.figures[name]
        weights = (tiny.path / "model.safetensors").stat().st_size
        assert figures.peak_memory_bytes is not None
        assert weights < figures.peak_memory_bytes < 10 * weights
        assert figures.prefill.median > 0
        assert figures.decode.median > 0
    assert peer.load_seconds > 0


def test_a_second_question_finds_all_that_was_before_it(ours: Ours) -> None:
    """Only the question and what is written around it is new: of 5 and about 12 tokens."""
    warming_up, *turns = [ours.next_turn(100) for _ in range(4)]
    new = {turn.prompt_tokens - turn.cached_tokens for turn in turns}
    assert len(new) == 1
    assert 5 < new.pop() < 25
    assert 75 < turns[0].cached_tokens < 100
    ours.forget()
    assert ours.next_turn(100).cached_tokens == warming_up.cached_tokens


def test_two_questions_in_turn_share_no_beginning(tiny: LLM) -> None:
    one, other = map(tiny.tokenizer.encode, QUESTIONS)
    assert one[0] != other[0]
    assert len(one) == len(other)


def test_a_model_that_guesses_is_measured_in_replies(tiny: LLM) -> None:
    llm = qwen3_mlx.load("tiny", draft="lookup", dtype=mx.float32)
    sample = Ours(llm, 0).run(64, 4)
    assert 1 <= sample.tokens <= 4
    assert 50 < sample.prompt_tokens < 90
    assert sample.ids == ()


def test_a_prompt_whose_cache_does_not_fit(
    tiny: LLM, ours: Ours, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of keys and values: layers x heads x numbers of a head x 4 bytes for each token."""
    config = tiny.config
    token = 2 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim * 4
    monkeypatch.setattr("qwen3_mlx.measure.ours.free_memory", lambda: 1000 * token)
    ours.check_room(1000)
    with pytest.raises(ModelTooLargeError, match="1001 tokens need"):
        ours.check_room(1001)


def test_here(tiny: LLM) -> None:
    here = where()
    assert here.gpu is (mx.default_device().type == mx.DeviceType.gpu)
    assert here.device
    assert Ours(tiny, 0).dtype == "float32"


def counting(ids: Sequence[int], tokens: int) -> Iterator[int]:
    yield from range(tokens)


def peer_of(continued: Any) -> Peer:
    ticks = itertools.count()
    return Peer(
        name="rival",
        version="1",
        load_seconds=0.0,
        continued=continued,
        prompt=lambda length: [0] * length,
        clock=lambda: float(next(ticks)),
    )


def test_a_peer_gets_the_prompt_and_is_timed() -> None:
    assert peer_of(counting).run(5, 3) == Sample(5, 3, 1.0, 2.0, ids=(0, 1, 2))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("no more memory"), "rival failed: no more memory"),
        (KeyError(), "rival failed: KeyError"),
        (Qwen3Error("known"), "known"),
    ],
)
def test_a_peer_that_fails_is_named(error: Exception, said: str) -> None:
    def failing(ids: Sequence[int], tokens: int) -> Iterator[int]:
        yield 1
        raise error

    with pytest.raises(Qwen3Error) as raised:
        peer_of(failing).run(5, 3)
    assert raised.value.message == said


def test_a_peer_that_ends_early_is_no_measurement() -> None:
    with pytest.raises(Qwen3Error, match="rival ended after 2 of 3 tokens"):
        peer_of(lambda ids, tokens: [1, 2]).run(5, 3)


def test_an_interruption_is_no_failure() -> None:
    def interrupted(ids: Sequence[int], tokens: int) -> Iterator[int]:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        peer_of(interrupted).run(5, 3)


class Llama:
    """As much of llama-cpp-python's class as is used; it remembers prompts until it is reset."""

    def __init__(self, path: str, **wishes: object) -> None:
        self.wishes = {"path": path, **wishes}
        self.held: list[int] = []
        if Path(path).read_bytes() != b"GGUF":
            raise ValueError(f"Failed to load model from file: {path}")

    def n_vocab(self) -> int:
        return 100

    def reset(self) -> None:
        self.held = []

    def generate(self, tokens: Sequence[int], *, top_k: int, temp: float) -> Iterator[int]:
        if self.held or temp or top_k != 1:
            raise AssertionError("not cold, or not greedy")
        self.held = [*tokens]
        yield from itertools.count()


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(sys.modules, "llama_cpp", SimpleNamespace(Llama=Llama))
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    return path


def prompt(length: int) -> list[int]:
    return [*range(length)]


def test_llama_cpp_starts_cold_every_time(gguf: Path) -> None:
    peer = open_llama_cpp(gguf, prompt, lambda: 0.0, 50)
    assert [peer.run(40, 3).ids for _ in range(2)] == [(0, 1, 2)] * 2
    assert peer.held_bytes is None


def test_a_file_that_llama_cpp_cannot_load(gguf: Path) -> None:
    gguf.write_bytes(b"something else")
    with pytest.raises(Qwen3Error, match=r"llama\.cpp failed: Failed to load model"):
        open_llama_cpp(gguf, prompt, lambda: 0.0, 50)


def test_the_gguf_file_of_another_model(gguf: Path) -> None:
    with pytest.raises(UsageError, match="a vocabulary of 100 tokens, too few"):
        open_llama_cpp(gguf, prompt, lambda: 0.0, 102)


def test_a_second_copy_that_does_not_fit(
    gguf: Path, tiny: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "free_memory", lambda: 3)
    with pytest.raises(ModelTooLargeError, match=r"llama\.cpp needs 0\.0 kB .* 0\.0 kB are left"):
        open_llama_cpp(gguf, prompt, lambda: 0.0, 50)
    with pytest.raises(ModelTooLargeError, match=r"mlx-lm needs \d\.\d MB"):
        open_mlx_lm(tiny.path, prompt, lambda: 0.0, None)
