"""A model and a peer for `bench` whose speeds are known, on a clock that they move themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx import measure
from qwen3_mlx.cli import bench
from qwen3_mlx.cli.app import main
from qwen3_mlx.events import Reply, Timing, Usage
from qwen3_mlx.measure import MLX_LM, Peer, Where, prompt_ids
from qwen3_mlx.model.cache import KVCache
from tests.cli.fakes import FakeLLM

SLOWNESS = (9.0, 1.0, 1.25, 1.0)
"""Of the runs at each length: the first warms up, the second of the three that count is slow."""

MEGABYTES_24 = 6_000_000


class Clock:
    """Stands still but when it is moved."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Letters:
    """A tokenizer with a token for each letter."""

    def encode(self, text: str) -> list[int]:
        """The letters."""
        return [*text.encode()]

    def decode(self, ids: Sequence[int]) -> str:
        """The text again."""
        return bytes(ids).decode()


class Speed:
    """Continues ids at so many tokens a second, by a clock.

    Args:
        clock: Is moved.
        prefill: Tokens a second.
        decode: Tokens a second.
        trouble: What happens in which run of all, counted from 1.
    """

    def __init__(
        self,
        clock: Clock,
        prefill: float,
        decode: float,
        trouble: tuple[int, BaseException] | None = None,
    ) -> None:
        self._clock, self._prefill, self._decode = clock, prefill, decode
        self._trouble = trouble
        self._runs = 0

    def __call__(self, ids: Sequence[int], tokens: int) -> Iterator[int]:
        slowness = SLOWNESS[self._runs % len(SLOWNESS)]
        self._runs += 1
        if self._trouble and self._runs == self._trouble[0]:
            raise self._trouble[1]
        waits = chain([len(ids) / self._prefill], repeat(1 / self._decode, tokens - 1))
        for token, wait in enumerate(waits):
            self._clock.now += slowness * wait
            yield token


class BenchLLM(FakeLLM):
    """What a fake `load` returns: 1000 tokens a second in, 50 out, 24 MB on top of nothing."""

    def __init__(self, trouble: tuple[int, BaseException] | None = None) -> None:
        super().__init__()
        self.clock = Clock()
        self.tokenizer = Letters()
        self.load_seconds = 0.5
        self.drafting: object = None
        self.path = Path("tiny")
        self.config = SimpleNamespace(num_hidden_layers=1, num_key_value_heads=1, head_dim=1)
        self.model = SimpleNamespace(
            layer_cache=KVCache,
            model=SimpleNamespace(norm=SimpleNamespace(weight=mx.zeros(1, mx.float32))),
        )
        self._speed = Speed(self.clock, 1000, 50, trouble)
        self.messages: list[dict[str, object]] = []

    def stream_ids(self, ids: Sequence[int], max_tokens: int) -> Iterator[int]:
        """Ids at a known speed."""
        mx.eval(mx.arange(MEGABYTES_24, dtype=mx.float32))
        yield from self._speed(ids, max_tokens)

    def generate(self, prompt: str, **wishes: object) -> Reply:
        """A reply of 6 tokens to 4 guesses, 3 of them right."""
        usage = Usage(len(prompt), answer_tokens=6, drafted_tokens=4, accepted_tokens=3)
        return reply(usage, Timing(first_token_seconds=len(prompt) / 1000, decode_seconds=0.1))

    def chat(self, **wishes: object) -> Any:
        """Stands for a conversation too."""
        return self

    def read_ahead(self) -> bool:
        """Reads all that there is."""
        return True

    def send(self, text: str) -> Reply:
        """An answer after 50 ms."""
        said = sum(len(str(message["content"])) for message in self.messages)
        usage = Usage(prompt_tokens=said + len(text), cached_tokens=said)
        return reply(usage, Timing(first_token_seconds=0.05))

    def clear(self) -> None:
        """Forgets all."""


def reply(usage: Usage, timing: Timing) -> Reply:
    """What was said does not matter."""
    return Reply("", "", (), "off", "length", usage, timing)


def played_peer(clock: Clock, trouble: tuple[int, BaseException] | None = None) -> Peer:
    """mlx-lm, at 500 tokens a second in and 40 out."""
    return Peer(
        name=MLX_LM,
        version="0.32.2",
        load_seconds=0.25,
        continued=Speed(clock, 500, 40, trouble),
        prompt=lambda length: prompt_ids(Letters(), length),
        clock=clock,
    )


def install(
    trouble: tuple[int, BaseException] | None = None,
    peer_trouble: tuple[int, BaseException] | None = None,
) -> BenchLLM:
    """Puts both into this process.

    Args:
        trouble: What happens in which run of ours.
        peer_trouble: The same for the peer.
    """
    llm = BenchLLM(trouble)
    vars(qwen3_mlx).update(load=llm.load)
    vars(measure).update(
        open_mlx_lm=lambda *_: played_peer(llm.clock, peer_trouble),
        check_mlx_lm=lambda: None,
        where=lambda: Where("a test chip", gpu=False, mlx="0.32.4", program="1.2.3"),
    )
    vars(bench).update(compute_dtype=lambda _: mx.float32)
    return llm


def run(trouble: tuple[int, BaseException] | None = None) -> None:
    """The command line of this process, with these two."""
    install(trouble)
    sys.argv[0] = "qwen3-mlx"
    main()
