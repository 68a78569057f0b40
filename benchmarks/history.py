"""From Enter to the first token while a chat grows: ours, no reuse, and ``mlx_lm.server``.

``python -m benchmarks.history [--rounds 3] [--model tiny]``. One chat of ten turns, each with 600
tokens of thoughts and 500 of answer, reaches 4,000 tokens of history without the thoughts. The
replies are given, not sampled, so that all three have the same history; what a real reply leaves in
the cache is put there. Three ways to the first token of each turn, in changing order:

- ours: the model has read ahead while the person typed;
- no reuse: the same program with an empty cache;
- the server: ``mlx_lm.server`` on loopback, which keeps its own cache of prompts. It gets one token
  to generate and is timed until its response is there.

All three read the same 4-bit files with float32 scales and the same ids. The bundled models are
made for 2,048 tokens; their config is copied with a longer context, since nobody reads the answers.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from benchmarks.first_token import in_float32
from qwen3_mlx import bundled, load
from qwen3_mlx.chat import Conversation, last_reply
from qwen3_mlx.events import Usage
from qwen3_mlx.generation.ahead import SLICE
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.backend import END_THINK, IM_END, THINK
from qwen3_mlx.text.pieces import Control, Piece, Text

TURNS = 10
QUESTION, THOUGHTS, ANSWER = 40, 600, 500  # tokens, about
CONTEXT = 8192
LONG = 4096
PATIENCE = 120.0  # seconds for the server to start
NAMES = ("Tom", "Ann", "Lee", "Mia", "Sam", "Eva")
THINGS = ("apples", "books", "coins", "cards", "pens", "shells")
OURS, NOTHING, SERVER = "ours", "no reuse", "mlx_lm.server"


@dataclass(frozen=True)
class Turn:
    """What is said in one turn."""

    question: str
    thoughts: str
    answer: str


@dataclass(frozen=True)
class First:
    """How one first token came about."""

    prompt: int
    read: int
    seconds: float


def with_long_context(source: Path, destination: Path) -> Path:
    """The same checkpoint in float32, and with room for the whole chat."""
    in_float32(source, destination)
    path = destination / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, "max_position_embeddings": CONTEXT}))
    return destination


def made_up(llm: LLM, tokens: int, dice: random.Random) -> str:
    """Sentences of about so many tokens."""
    text = ""
    while len(llm.tokenizer.encode(text)) < tokens:
        name, thing = dice.choice(NAMES), dice.choice(THINGS)
        text += f"{name} has {dice.randrange(100)} {thing} and buys {dice.randrange(100)} more. "
    return text.strip()


def made_up_turn(llm: LLM, dice: random.Random) -> Turn:
    return Turn(*(made_up(llm, tokens, dice) for tokens in (QUESTION, THOUGHTS, ANSWER)))


def first_token(conversation: Conversation, question: str) -> First:
    """Begins a turn and takes it back when its first token is there."""
    before = list(conversation.messages)
    events = conversation.stream(question)
    first = next(events)
    conversation.stop()
    reply = last_reply(chain([first], events))  # an empty reply has no other event
    conversation.messages = before
    return First(
        reply.usage.prompt_tokens, read_tokens(reply.usage), reply.timing.first_token_seconds
    )


def read_tokens(usage: Usage) -> int:
    return usage.prompt_tokens - usage.cached_tokens


def give(conversation: Conversation, llm: LLM, turn: Turn, prompt: int) -> None:
    """Leaves what a turn leaves: its messages, and all of its tokens in the cache."""
    prefix = conversation._prefix
    thoughts: list[Piece] = [Control(THINK), Text(f"\n{turn.thoughts}\n"), Control(END_THINK)]
    reply = [*thoughts, Text(f"\n\n{turn.answer}"), Control(IM_END)]
    prefix.extend([*prefix.ids[:prompt], *llm.tokenizer.encode_pieces(reply)])
    conversation.messages += [
        {"role": "user", "content": turn.question},
        {"role": "assistant", "content": turn.answer, "reasoning_content": turn.thoughts},
    ]


Ways: TypeAlias = dict[str, First]


class Server:
    """An ``mlx_lm.server`` that runs.

    Args:
        model: The folder it has loaded.
        port: On loopback.
    """

    def __init__(self, model: Path, port: int) -> None:
        self._model = str(model)
        self._port = port

    def first_token(self, conversation: Conversation, question: str) -> First:
        """Lets it answer with one token."""
        said = [{"role": m["role"], "content": m["content"]} for m in conversation.messages]
        messages = [*said, {"role": "user", "content": question}]
        body = json.dumps({"model": self._model, "messages": messages, "max_tokens": 1}).encode()
        started = time.perf_counter()
        usage = json.loads(self._ask("POST", "/v1/chat/completions", body))["usage"]
        seconds = time.perf_counter() - started
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens", 0)
        return First(usage["prompt_tokens"], usage["prompt_tokens"] - cached, seconds)

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Returns once it listens."""
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            try:
                self._ask("GET", "/health")
            except ConnectionError:
                time.sleep(0.2)
            else:
                return
        raise SystemExit("mlx_lm.server did not start on these files")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        headers = {"Content-Type": "application/json"}
        with closing(HTTPConnection("127.0.0.1", self._port)) as connection:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            if response.status != 200:
                raise SystemExit(f"mlx_lm.server: {response.status} {response.read(500)!r}")
            return response.read()


@contextmanager
def running_server(model: Path) -> Iterator[Server]:
    """An ``mlx_lm.server`` of its own, stopped at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "ERROR"]
    command = [sys.executable, "-m", "mlx_lm", "server", "--model", str(model), *where]
    process = subprocess.Popen(
        command, stderr=subprocess.DEVNULL, env={**os.environ, "HF_HUB_OFFLINE": "1"}
    )
    try:
        server = Server(model, port)
        server.wait(process)
        yield server
    finally:
        process.terminate()
        process.wait()


def hold_chat(llm: LLM, server: Server) -> Iterator[tuple[Ways, float]]:
    """Ten turns: how each way came to the first token, and how long reading ahead took."""
    conversation, dice = llm.chat(), random.Random(0)
    for number in range(TURNS):
        turn = made_up_turn(llm, dice)
        started = time.perf_counter()
        conversation.read_ahead()
        ahead = time.perf_counter() - started
        ways = race(llm, conversation, server, turn.question, number)
        yield ways, ahead
        give(conversation, llm, turn, ways[OURS].prompt)


def race(llm: LLM, conversation: Conversation, server: Server, question: str, number: int) -> Ways:
    """One first token in each way; a different way begins in each turn."""
    runs: dict[str, Callable[[], First]] = {
        OURS: lambda: first_token(conversation, question),
        NOTHING: lambda: first_token(fresh(llm, conversation), question),
        SERVER: lambda: server.first_token(conversation, question),
    }
    first = number % len(runs)
    order = [*runs, *runs][first : first + len(runs)]
    ways = {name: runs[name]() for name in order}
    if len({way.prompt for way in ways.values()}) > 1:
        raise SystemExit(f"the prompts differ: {ways}")
    return ways


def fresh(llm: LLM, conversation: Conversation) -> Conversation:
    """The same conversation, of which nothing has been read."""
    other = llm.chat()
    other.messages = list(conversation.messages)
    return other


def median(firsts: list[Ways], name: str) -> float:
    return statistics.median(first[name].seconds for first in firsts)


def show_turn(number: int, rounds: list[Ways]) -> None:
    """One line: token counts are the same in every round, seconds are medians."""
    counts = rounds[0]
    ours, nothing, server = (median(rounds, name) for name in (OURS, NOTHING, SERVER))
    print(
        f"{number:4} {counts[OURS].prompt:7} {counts[OURS].read:6} {counts[NOTHING].read:8}"
        f" {counts[SERVER].read:7} {ours:10.3f} {nothing:9.3f} {server:8.3f}"
        f" {nothing / ours:7.1f}x {server / ours:7.1f}x"
    )


def show_ratios(title: str, turns: list[list[Ways]]) -> None:
    """How much sooner ours is: the median of the turns' own ratios."""
    if not turns:
        return
    ratios = [
        statistics.median(median(rounds, name) / median(rounds, OURS) for rounds in turns)
        for name in (NOTHING, SERVER)
    ]
    print(f"{title}: {ratios[0]:.1f}x sooner than {NOTHING}, {ratios[1]:.1f}x than {SERVER}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", choices=bundled.NAMES, default="tiny")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = with_long_context(bundled.bundled_path(options.model), Path(folder) / "model")
        llm = load(str(path))
        chats = []
        for _ in range(options.rounds):
            with running_server(path) as server:  # a new one: it remembers prompts
                chats.append(list(hold_chat(llm, server)))
    turns = [[firsts for firsts, _ in rounds] for rounds in zip(*chats, strict=True)]
    print(f"{options.model}, {THOUGHTS} tokens of thoughts a turn, {options.rounds} rounds")
    print("     tokens  read after Enter         seconds to the first token   sooner than")
    print("turn  prompt   ours no reuse  server       ours  no reuse   server no reuse  server")
    for number, rounds in enumerate(turns, 1):
        show_turn(number, rounds)
    show_ratios("turns 2 to 10", turns[1:])
    long = [rounds for rounds in turns if rounds[0][OURS].prompt >= LONG]
    show_ratios(f"with {LONG} tokens or more", long)
    slices = statistics.median(ahead for chat in chats for _, ahead in chat[1:])
    print(f"reading ahead took {slices:.2f} s a turn (median), {SLICE} tokens in a slice")


if __name__ == "__main__":
    main()
