"""Prompts that another process has read: what is found changes nothing but the time it takes."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast
from unittest.mock import patch

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx import load
from qwen3_mlx.checkpoint import prompt_identity, prompt_store
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.checkpoint.prompt_arrays import plain_layout
from qwen3_mlx.checkpoint.prompt_folder import PromptFolder
from qwen3_mlx.checkpoint.prompt_identity import model_identity
from qwen3_mlx.checkpoint.prompt_store import PromptStore
from qwen3_mlx.errors import UsageError
from qwen3_mlx.generation.engine import Engine
from qwen3_mlx.model.cache import KVCache
from qwen3_mlx.model.config import Qwen3Config
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.runtime import LLM
from qwen3_mlx.text.qwen3_format import HYBRID, THINKING_2507
from qwen3_mlx.text.renderer import Renderer
from qwen3_mlx.text.tokenizer import Tokenizer
from tests.runtime.test_same_as_fresh import begin, comparable, play, turns

SYSTEM = "Tom has twelve apples and Ann has seven. Answer in one sentence, with a number in it."


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `load` keeps prompts."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "qwen3-mlx" / "prompts"


def saved(llm: LLM) -> PromptStore:
    """The store of a model, with nothing left to write."""
    assert llm.prompts is not None
    llm.prompts.wait()
    return llm.prompts


def store_of(path: Path, config: Qwen3Config, tokenizer: Tokenizer) -> PromptStore:
    layout = plain_layout("random", config, mx.float32)
    return PromptStore(PromptFolder(path), layout, tokenizer.control.im_start)


@settings(max_examples=8, deadline=None)
@given(
    conversation=st.lists(turns, min_size=2, max_size=3),
    form=st.sampled_from([HYBRID, THINKING_2507]),
    system=st.none() | st.just("Be brief."),
    size=st.sampled_from([16, 512]),
    reads_ahead=st.booleans(),
)
def test_every_answer_equals_a_fresh_ones(
    random_model: Qwen3,
    make_engine: Callable[..., Engine],
    config: Qwen3Config,
    tokenizer: Tokenizer,
    conversation: list[tuple[str, int | None, int | None]],
    form: Renderer,
    system: str | None,
    size: int,
    reads_ahead: bool,
) -> None:
    """Each turn is another process, which finds what those before it saved."""
    with tempfile.TemporaryDirectory() as path, patch.object(prompt_store, "BLOCK", size):
        messages = begin(make_engine(random_model, form), system).messages
        for text, budget, breaks_off in conversation:
            store = store_of(Path(path), config, tokenizer)
            chat = begin(make_engine(random_model, form, prompts=store), system)
            fresh = begin(make_engine(random_model, form), system)
            chat.messages, fresh.messages = list(messages), list(messages)
            chat.max_tokens = fresh.max_tokens = 60
            assert not reads_ahead or in_another_thread(chat.read_ahead)
            assert play(chat, text, budget, breaks_off) == play(fresh, text, budget, breaks_off)
            assert chat._prefix.ids == fresh._prefix.ids
            assert {layer.offset for layer in chat._prefix.cache} == {chat.context_used}
            store.wait()
            assert store.take_notes() == []
            messages = chat.messages


def in_another_thread(function: Callable[[], bool]) -> bool:
    with ThreadPoolExecutor(max_workers=1) as pool:
        return pool.submit(function).result()


def test_the_next_process_reads_one_token_of_the_same_prompt(folder: Path) -> None:
    first = load("tiny", save_cache=True)
    reply = first.generate("What is 47 + 86 + 12?", system=SYSTEM)
    saved(first)
    second = load("tiny", save_cache=True)
    again = second.generate("What is 47 + 86 + 12?", system=SYSTEM)
    assert "145" in again.answer
    assert reply.usage.cached_tokens == 0
    assert again.usage.cached_tokens == again.usage.prompt_tokens - 1
    assert comparable(again) == comparable(reply)
    plain = load("tiny").generate("What is 47 + 86 + 12?", system=SYSTEM)
    assert comparable(again) == comparable(plain)


def test_a_conversation_goes_on_in_another_process(folder: Path) -> None:
    """Its thoughts are not in the next prompt: what stands before them is found."""
    first = load("tiny-dense", save_cache=True)
    chat = first.chat(system=SYSTEM)
    chat.send("What is 2 + 3?")
    prompt = chat.send("What is 20 + 30?").usage.prompt_tokens
    saved(first)
    second = load("tiny-dense", save_cache=True)
    resumed, fresh = second.chat(system=SYSTEM), load("tiny-dense").chat(system=SYSTEM)
    for other in (resumed, fresh):
        other.messages = list(chat.messages)
    reply = resumed.send("What is 5 + 6?")
    assert reply.usage.cached_tokens >= prompt - 2  # `assistant` and a line are read again
    assert comparable(reply) == comparable(fresh.send("What is 5 + 6?"))
    assert resumed._prefix.ids == fresh._prefix.ids


def test_what_was_read_ahead_is_found_as_well(folder: Path) -> None:
    """The answer without its thoughts: all of the history is there for whoever resumes."""
    first = load("tiny", save_cache=True)
    chat = first.chat()
    chat.send("What is 2 + 3?")
    assert in_another_thread(chat.read_ahead)
    saved(first)
    resumed = load("tiny", save_cache=True).chat()
    resumed.messages = list(chat.messages)
    read: list[int] = []
    resumed.on_prefill = lambda _done, total: read.append(total)
    usage = resumed.send("What is 5 + 6?").usage
    assert usage.cached_tokens == len(chat._prefix.ids)
    assert read == [usage.prompt_tokens - usage.cached_tokens]


def test_another_conversation_finds_the_system_prompt(folder: Path) -> None:
    first = load("tiny", save_cache=True)
    first.generate("What is 2 + 3?", system=SYSTEM)
    saved(first)
    second = load("tiny", save_cache=True)
    usage = second.generate("Tom buys 9 more apples. How many has he?", system=SYSTEM).usage
    words = second.tokenizer.encode(f"system\n{SYSTEM}")
    assert usage.cached_tokens == 1 + len(words) + 2  # the tags, and the line after them


def test_another_process_that_reads_ahead_reads_nothing_twice(
    folder: Path, checkpoint: Path
) -> None:
    """All but the tag that opens the first message."""
    first = load(str(checkpoint), save_cache=True)
    first.chat(system=SYSTEM, max_tokens=3, budget=0).send("What is 2 + 3?")
    saved(first)
    second = load(str(checkpoint), save_cache=True)
    chat = second.chat(system=SYSTEM)
    with patch.object(second.model, "advance", wraps=second.model.advance) as advance:
        assert chat.read_ahead()
    assert [call.args[0].tolist() for call in advance.call_args_list] == [
        [[second.tokenizer.control.im_start]]
    ]


def test_two_replies_of_one_process_share_too(folder: Path) -> None:
    llm = load("tiny", save_cache=True)
    llm.generate("What is 2 + 3?", system=SYSTEM)
    assert llm.generate("What is 2 + 3?", system=SYSTEM).usage.cached_tokens > 20


def test_nothing_is_saved_unless_it_is_asked_for(folder: Path) -> None:
    llm = load("tiny")
    llm.generate("What is 2 + 3?", thinking=False)
    assert llm.prompts is None
    assert not folder.exists()


def test_a_stopped_turn_is_saved_as_far_as_it_came(folder: Path) -> None:
    first = load("tiny", save_cache=True)
    chat = first.chat()
    events = chat.stream("What is 47 + 86 + 12?")
    next(events)
    chat.stop()
    list(events)
    store = saved(first)
    assert sum(len(block.ids) for block in store.find(chat._prefix.ids)) == len(chat._prefix.ids)


def test_a_damaged_file_is_told_and_the_answer_is_right(folder: Path) -> None:
    llm = load("tiny", save_cache=True)
    reply = llm.generate("What is 47 + 86 + 12?")
    saved(llm)
    for path in folder.iterdir():
        os.truncate(path, path.stat().st_size - 1)
    again = llm.generate("What is 47 + 86 + 12?")
    (note,) = saved(llm).take_notes()
    assert note.startswith("a saved cache was damaged and is rebuilt: ")
    assert again.usage.cached_tokens == 0
    assert comparable(again) == comparable(reply)
    assert llm.generate("What is 47 + 86 + 12?").usage.cached_tokens > 0


def test_a_conversation_goes_on_where_nothing_can_be_saved(folder: Path) -> None:
    folder.parent.parent.mkdir()
    folder.parent.touch()
    chat = (llm := load("tiny", save_cache=True)).chat()
    assert "5" in chat.send("What is 2 + 3?").answer
    assert "11" in chat.send("What is 5 + 6?").answer
    assert saved(llm).take_notes() == [f"what is read is not saved: {folder}: Not a directory"]


class OtherCache(KVCache):
    """Holds who knows what."""


def test_caches_of_other_kinds_are_left_alone(folder: Path) -> None:
    llm = load("tiny", save_cache=True)
    llm.model.layer_cache = OtherCache
    llm.generate("What is 2 + 3?", thinking=False)
    assert saved(llm).take_notes() == []
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("kind", [{"kv_bits": 8}, {"max_kv": 100}])
def test_a_rounded_or_sliding_cache_cannot_be_asked_to_be_saved(
    folder: Path, kind: dict[str, int]
) -> None:
    with pytest.raises(UsageError, match="only whole caches can be saved") as caught:
        load("tiny", save_cache=True, **kind)  # type: ignore[arg-type]
    assert caught.value.hint == "Leave out save_cache, or kv_bits and max_kv."


def test_an_error_while_a_prompt_is_loaded_leaves_nothing_held(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    llm = load("tiny", save_cache=True)
    chat = llm.chat()
    llm.generate("What is 2 + 3?", thinking=False)

    def fails(*_: object) -> None:
        raise RuntimeError("no memory")

    with monkeypatch.context() as broken:
        broken.setattr(KVCache, "take_over", fails)
        with pytest.raises(RuntimeError, match="no memory"):
            chat.send("What is 2 + 3?")
    assert chat._prefix.ids == []
    assert "5" in chat.send("What is 2 + 3?").answer


# What a prompt is bound to.


def configure(**fields: object) -> Callable[[Path], object]:
    def change(model: Path) -> None:
        path = model / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | fields))

    return change


def change_byte(name: str, share: float) -> Callable[[Path], object]:
    """One byte of a file, the times of the file left as they were."""

    def change(model: Path) -> None:
        path = model / name
        state, data = path.stat(), bytearray(path.read_bytes())
        data[int(share * len(data))] ^= 1
        path.write_bytes(data)
        os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))

    return change


def touch(model: Path) -> None:
    os.utime(model / "model.safetensors", ns=(1, 1))


def add_a_token(model: Path) -> None:
    path = model / "tokenizer.json"
    data = json.loads(path.read_text())
    data["model"]["merges"] = data["model"]["merges"][:-1]
    path.write_text(json.dumps(data))


def change_all_weights(model: Path) -> None:
    """Other numbers in a file of the same size that claims to be as old."""
    path = model / "model.safetensors"
    state = path.stat()
    weights = cast(dict[str, mx.array], mx.load(str(path)))
    mx.eval(weights)
    mx.save_safetensors(str(path), {name: 1.01 * array for name, array in weights.items()})
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))


def record_digests(model: Path) -> None:
    """As a conversion does it."""
    name = "model.safetensors"
    digest = hashlib.sha256((model / name).read_bytes()).hexdigest()
    (model / "conversion.json").write_text(json.dumps({"sha256": {name: digest}}))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a number of the config": configure(rms_norm_eps=1e-5),
    "the rotary base": configure(rope_theta=2e4),
    "the quantization": configure(some_quantization={"bits": 4}),
    "the tokenizer": add_a_token,
    "all weights": change_all_weights,
    "the time of change": touch,
    "the digests of a conversion": record_digests,
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_model_finds_nothing(
    checkpoint: Path, folder: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = load(str(checkpoint), save_cache=True)
    before.generate("What is 2 + 3?", max_tokens=3, thinking=False)
    saved(before)
    held = set(folder.iterdir())
    CHANGES[change](checkpoint)
    after = load(str(checkpoint), save_cache=True)
    reply = after.generate("What is 2 + 3?", max_tokens=3, thinking=False)
    assert reply.usage.cached_tokens == 0
    assert saved(after).take_notes() == []
    assert held < set(folder.iterdir())  # they are the other model's, not damaged


def identity(folder: Path, dtype: mx.Dtype = mx.float32, context: int | None = None) -> str:
    opened = open_checkpoint(folder)
    config = opened.config if context is None else opened.config.with_context(context)
    return model_identity(folder, opened, config, dtype)


def test_the_way_a_model_runs_counts(checkpoint: Path) -> None:
    """YaRN and the type do; how long a conversation may be does not."""
    assert identity(checkpoint) == identity(checkpoint) == identity(checkpoint, context=100)
    others = [
        identity(checkpoint, context=4096),
        identity(checkpoint, context=8192),
        identity(checkpoint, mx.bfloat16),
    ]
    assert len({identity(checkpoint), *others}) == 4


def test_a_copy_of_a_model_with_its_times_is_the_same_model(
    checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Neither the folder's name nor how it is reached counts."""
    linked = tmp_path_factory.mktemp("links") / "model"
    linked.symlink_to(checkpoint)
    assert identity(linked) == identity(checkpoint)


def test_versions_count(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity(checkpoint)
    monkeypatch.setattr(prompt_identity, "version", lambda _name: "99")
    assert identity(checkpoint) != before


def test_a_change_in_the_middle_of_any_tensor_is_noticed(checkpoint: Path) -> None:
    before = identity(checkpoint)
    for tensor in open_checkpoint(checkpoint).tensors.values():
        middle = (tensor.start + tensor.end) // 2
        change = change_byte("model.safetensors", middle / tensor.file.stat().st_size)
        change(checkpoint)
        assert identity(checkpoint) != before
        change(checkpoint)
    assert identity(checkpoint) == before


def test_of_many_tensors_some_are_looked_at(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With room for two, the 24 tensors are taken in steps of 12."""
    monkeypatch.setattr(prompt_identity, "SAMPLES", 2)
    tensors = open_checkpoint(checkpoint).tensors
    assert len(tensors) == 24
    with patch.object(os, "pread", wraps=os.pread) as pread:
        identity(checkpoint)
    looked_at = {tensors[sorted(tensors)[n]] for n in (0, 12)}
    assert {call.args[1:] for call in pread.call_args_list} == {
        (prompt_identity.SAMPLE_BYTES, (tensor.start + tensor.end) // 2) for tensor in looked_at
    }
