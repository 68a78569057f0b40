"""Private thoughts leak nowhere: streams of any shape, through the API and the command line.

The thoughts are written in letters that nothing else here uses. Wherever one of them turns up but
in the thoughts themselves, something has leaked.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from unittest.mock import patch
from weakref import WeakKeyDictionary

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import qwen3_mlx
from qwen3_mlx.chat import Conversation
from qwen3_mlx.checkpoint.hub import Source
from qwen3_mlx.cli.app import app
from qwen3_mlx.errors import Qwen3Error
from qwen3_mlx.events import Done, Event, StepDone, ThinkingDelta
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.generation.explain import REQUEST
from qwen3_mlx.generation.thinking import ThinkingBudget
from qwen3_mlx.model.cache import KVCache, LayerCache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.backend import TOOL_RESPONSE
from qwen3_mlx.text.pieces import Control, Piece, Text
from qwen3_mlx.text.tokenizer import Tokenizer
from qwen3_mlx.tools.tool import Tool
from tests.runtime.conftest import MakeEngine, Script, at

MARK = "ⰀⰁⰂⰃⰄ"
MARKS = (*MARK, "ZQX", "\ufffd")  # the last one is what half a character looks like
WORDS = (MARK, f"{MARK} ZQX", "ZQXZQX", " ", "\n", "```\n", "`<think>`", "<th", "ink>")
SPELLED = (*WORDS, "<think>", "</think>", "</think", "\n</think>\n\n", "<|im_end|>", "<tool_call>")
CALL = '\n{"name": "look", "arguments": {"at": "it"}}\n'

thoughts = st.lists(st.sampled_from([Control("<think>"), *map(Text, SPELLED)]), max_size=8)
ends = st.sampled_from([Control("</think>"), Control("<|im_end|>"), Control("<tool_call>")])
answers = st.lists(
    st.sampled_from(
        [
            *map(Text, ("It is five.", "```\n</think>\n```", "<think>", CALL, "</tool_call>")),
            *map(Control, ("</think>", "<tool_call>", "</tool_call>")),
        ]
    ),
    max_size=4,
)


@dataclass(frozen=True)
class Stream:
    """What a model would say, and what befalls it at one of its tokens."""

    pieces: tuple[Piece, ...]
    budget: int | None
    max_tokens: int | None
    fails_at: int | None
    stopped_at: int | None


places = st.none() | st.integers(0, 30)
streams = st.builds(
    lambda thoughts, end, answer, budget, max_tokens, fails_at, stopped_at: Stream(
        (Control("<think>"), Text(f"\n{MARK} ZQX "), *thoughts, *end, *answer),
        *(budget, max_tokens, fails_at, stopped_at),
    ),
    thoughts,
    st.lists(ends, max_size=1),
    answers,
    st.sampled_from([1, 5, 20, None]),
    st.sampled_from([None, None, 200]),
    *(places, places),
)


class Teller(Script):
    """Says a stream, and the thoughts of it again where it is to say them in other words."""

    def __init__(self, config: Qwen3Config, tokenizer: Tokenizer) -> None:
        super().__init__(config, tokenizer)
        self._reads: WeakKeyDictionary[KVCache, list[int]] = WeakKeyDictionary()

    def follow(self, stream: Stream, interrupt: bool) -> None:
        self._reply = self._tokenizer.encode_pieces(stream.pieces)
        self._answer = self._ids("It is five.<|im_end|>")
        self._stream = stream
        self._interrupt = interrupt

    def last_logits(self, ids: mx.array, cache: Sequence[LayerCache] | None = None) -> mx.array:
        logits = super().last_logits(ids, cache)
        if len(self._said()) == self._stream.stopped_at and self._interrupt:
            signal.raise_signal(signal.SIGINT)
        fails = len(self._said()) == self._stream.fails_at
        return mx.full(logits.shape, float("nan")) if fails else logits

    def advance(self, ids: mx.array, cache: Sequence[KVCache]) -> mx.array:
        self.read = self._reads.get(cache[0], [])
        logits = super().advance(ids, cache)
        self._reads[cache[0]] = self.read
        return logits

    def _asked(self) -> str:
        """The last message, and what has been said since."""
        starts = [i for i, token in enumerate(self.read) if token == self._ids("<|im_start|>")[0]]
        return self._tokenizer.decode(self.read[starts[-2] :])

    def _next(self) -> int:
        said = self._said()
        asked = self._asked()
        if TOOL_RESPONSE in asked:
            self._reply = self._ids(f"<think>\n{MARK}\n</think>\n\nIt is five.<|im_end|>")
        if REQUEST[:30] in asked:
            notes = asked.split("\nNotes:\n")[1].split("\n\nAnswer:\n")[0]
            begun = len(said) - len(self._ids("<think>\n\n</think>\n\n"))
            return at([*self._tokenizer.encode(notes), *self._ids("<|im_end|>")], begun)
        if said == self._reply[: len(said)] and len(said) >= len(self._reply):
            return self._ids("<|im_end|>")[0]
        return super()._next()


@pytest.fixture(scope="session")
def teller(config: Qwen3Config, tokenizer: Tokenizer) -> Teller:
    return Teller(config, tokenizer)


@pytest.fixture(scope="session")
def llm(teller: Teller, make_engine: MakeEngine, config: Qwen3Config) -> LLM:
    engine = make_engine(teller)
    parts = {field.name: getattr(engine, field.name) for field in fields(Engine)}
    source = Source("directory", "teller", Path("teller"))
    return LLM(**parts, name="teller", path=source.path, source=source, config=config)


def leaks(text: str) -> list[str]:
    """The secrets in a text, however JSON writes them."""
    escaped = [json.dumps(secret)[1:-1] for secret in MARKS]
    return [secret for secret in (*MARKS, *escaped) if secret in text]


def without_thinking(event: Event) -> str:
    """All that an event says but the field of the thoughts."""
    if isinstance(event, ThinkingDelta):
        return repr(replace(event, text=""))
    if isinstance(event, StepDone):
        return repr(replace(event.step, thinking=""))
    if isinstance(event, Done):
        steps = tuple(replace(step, thinking="") for step in event.reply.steps)
        return repr(replace(event.reply, thinking="", steps=steps))
    return repr(event)


@given(stream=streams, private=st.booleans())
@settings(max_examples=60, deadline=None)
def test_the_api_holds_thoughts_in_their_field_alone(
    teller: Teller, make_engine: MakeEngine, stream: Stream, private: bool
) -> None:
    teller.follow(stream, interrupt=False)
    budget = ThinkingBudget(stream.budget)
    chat = Conversation(make_engine(teller), budget=budget, max_tokens=stream.max_tokens)
    chat.private = private
    told = [*played(chat, "Is <think> ZZ </think> a tag?", stream)]
    assert leaks("".join(told)) == []
    kept = [{**message, "reasoning_content": ""} for message in chat.messages]
    assert leaks(repr(chat.messages if private else kept)) == []
    assert leaks(repr(chat)) == []


def played(chat: Conversation, text: str, stream: Stream) -> Iterator[str]:
    try:
        for number, event in enumerate(chat.stream(text)):
            yield without_thinking(event)
            if number == stream.stopped_at:
                chat.stop()
    except Qwen3Error as error:
        yield f"{error} {error.hint}"


@given(
    stream=streams,
    show=st.sampled_from(["hidden", "summary"]),
    asked=st.sampled_from([[], ["--json"], ["--jsonl"], ["--quiet"]]),
)
@settings(max_examples=15, deadline=None)
def test_the_command_line_holds_them_nowhere(
    teller: Teller, llm: LLM, stream: Stream, show: str, asked: list[str]
) -> None:
    teller.follow(stream, interrupt=True)
    budget = "none" if stream.budget is None else str(stream.budget)
    args = ["--thoughts", show, "--budget", budget]
    with tempfile.TemporaryDirectory() as folder, commands_with(llm, Path(folder)) as run:
        assert leaks(run("ask", "Is <think> a tag?", *args, *asked)) == []
        assert leaks(run("chat", *args, stdin="\n".join(lines(Path(folder))))) == []
        for path in Path(folder).rglob("*"):
            assert path.is_dir() or leaks(path.read_text("utf-8")) == []


def lines(folder: Path) -> list[str]:
    return [
        *("Is <think> a tag?", "/thoughts last", "/stats", "/context", "/regen"),
        *(f"/save {folder}/a.json", f"/export {folder}/a.md", "/undo", "</think> is one, too"),
        *("/thoughts full", "/thoughts last", f"/save {folder}/b.json", f"/export {folder}/b.md"),
        *(f"/load {folder}/a.json", "/edit", "/thoughts last"),
    ]


@contextmanager
def commands_with(llm: LLM, folder: Path) -> Iterator[Callable[..., str]]:
    """The command line with this model, everything that it keeps in `folder`."""
    homes = {f"XDG_{name}_HOME": str(folder / name) for name in ("CONFIG", "STATE", "CACHE")}

    def run(*args: str, stdin: str = "") -> str:
        result = CliRunner().invoke(app, list(args), input=stdin, prog_name="qwen3-mlx")
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return f"{result.stdout}{result.stderr}{result.exception!r}"

    with (
        patch.dict(os.environ, homes),
        patch.dict(vars(qwen3_mlx), load=lambda _name, **_wishes: llm),
    ):
        yield run


BLOCK = (Control("<think>"), Text(f"\n{MARK} ZQX "), Control("</think>"))
FIVE = Stream((*BLOCK, Text("\n\nIt is five.")), 64, None, None, None)


def test_the_secret_would_be_seen(teller: Teller, llm: LLM, tmp_path: Path) -> None:
    """Or the tests above would prove nothing."""
    teller.follow(FIVE, interrupt=False)
    with commands_with(llm, tmp_path) as run:
        for form in ([], ["--json"], ["--jsonl"]):
            assert {*MARK, "ZQX"} <= {*leaks(run("ask", "2 + 3?", *form))}
        run("chat", stdin=f"2 + 3?\n/save {tmp_path}/a.json\n/export {tmp_path}/a.md\n")
        assert leaks((tmp_path / "a.json").read_text("utf-8"))
        assert leaks((tmp_path / "a.md").read_text("utf-8"))


def test_a_turn_stays_as_private_as_it_was_made(teller: Teller, llm: LLM, tmp_path: Path) -> None:
    teller.follow(FIVE, interrupt=False)
    turns = (
        "/thoughts hidden\n2 + 3?\n/thoughts full\n/thoughts last\n4 + 1?\n"
        f"/save {tmp_path}/both.json\n/thoughts hidden\n/save {tmp_path}/none.json\n"
    )
    with commands_with(llm, tmp_path) as run:
        said = run("chat", stdin=turns)
    assert "[no thoughts yet]" in said
    both = json.loads((tmp_path / "both.json").read_text("utf-8"))["messages"]
    assert [message.get("reasoning_content") for message in both] == [
        *(None, "", None, f"{MARK} ZQX ")
    ]
    assert leaks((tmp_path / "none.json").read_text("utf-8")) == []


def test_an_answer_that_looks_like_thoughts_comes_back_whole(
    teller: Teller, llm: LLM, tmp_path: Path
) -> None:
    teller.follow(replace(FIVE, pieces=(*BLOCK, Text("5 </think> 5"))), interrupt=False)
    path = tmp_path / "a.json"
    with commands_with(llm, tmp_path) as run:
        run("chat", "--thoughts", "hidden", stdin=f"2 + 3?\n/save {path}\n")
        teller.follow(FIVE, interrupt=False)
        run("chat", stdin=f"/load {path}\n3 + 3?\n")
    assert "5 </think> 5" in teller._tokenizer.decode(teller.read)


def test_a_chain_of_tools_keeps_its_thoughts_to_itself(
    teller: Teller, make_engine: MakeEngine
) -> None:
    call = (Control("<tool_call>"), Text(CALL), Control("</tool_call>"))
    teller.follow(replace(FIVE, pieces=(*BLOCK, *call)), interrupt=False)
    look = Tool("look", "Look.", {"type": "object"}, lambda _arguments: "there it is")
    chat = Conversation(make_engine(teller), budget=ThinkingBudget(64), tools=[look])
    chat.private = True
    events = list(chat.stream("Look!"))
    done = events[-1]
    assert isinstance(done, Done)
    assert [step.thinking.count(MARK) for step in done.reply.steps] == [1, 1]
    assert leaks("".join(map(without_thinking, events))) == []
    assert "there it is" in repr(chat.messages)
    assert leaks(repr(chat.messages)) == []


def test_nothing_private_is_saved_with_what_the_model_has_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    llm = qwen3_mlx.load("tiny", save_cache=True)
    assert llm.prompts is not None
    chat = llm.chat()
    chat.private = True
    usage = chat.send("What is 2 + 3?").usage
    assert usage.thinking_tokens > 0
    llm.prompts.wait()
    held = chat._prefix.ids
    saved = [token for block in llm.prompts.find(held) for token in block.ids]
    assert saved == held[: usage.prompt_tokens]
