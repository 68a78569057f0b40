"""The bundled mixture of experts with most of its experts on disk, through `load`."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from qwen3_mlx import fitting
from qwen3_mlx.bundled import bundled_path
from qwen3_mlx.checkpoint.expert_memory import parse_expert_memory
from qwen3_mlx.checkpoint.load import open_checkpoint
from qwen3_mlx.errors import ModelFileError, ModelTooLargeError, UsageError
from qwen3_mlx.loading import load
from qwen3_mlx.model.expert_slots import ExpertSlots
from qwen3_mlx.runtime import LLM

QUESTION = "Tom has 12 apples and buys 7 more. How many apples has he now?"
# What an expert of all four layers takes: 3 matrices of 32 x 128 numbers, 4 bits each, and for
# every 32 of them a scale and a bias in float32.
EXPERT = 4 * 3 * 32 * 128 // 32 * (16 + 4 + 4)


@pytest.fixture(scope="module")
def whole() -> LLM:
    return load("tiny")


def slots_of(llm: LLM) -> int | None:
    experts = llm.model.model.layers[0].mlp.switch_mlp
    return experts._slots if isinstance(experts, ExpertSlots) else None


@pytest.mark.parametrize(
    ("memory", "slots"),
    [("7%", 8), ("10%", 12), ("50%", 64), (f"{9 * EXPERT / 1000}kB", 9), ("100%", None)],
)
def test_the_same_tokens_as_with_all_in_memory(whole: LLM, memory: str, slots: int | None) -> None:
    some = load("tiny", expert_memory=memory)
    assert slots_of(some) == some.expert_slots == slots
    prompt = whole.tokenizer.encode(f"{QUESTION} " * 3)  # many more experts than slots
    assert list(some.stream_ids(prompt, 24)) == list(whole.stream_ids(prompt, 24))


@pytest.mark.parametrize(("machine", "slots"), [(3 * 10**6, 54), (10**9, None)])
def test_auto_takes_what_all_else_leaves_of_the_machine(
    monkeypatch: pytest.MonkeyPatch, machine: int, slots: int | None
) -> None:
    monkeypatch.setattr(fitting, "machine_memory", lambda: machine)
    all_else = SimpleNamespace(total=10**6)
    monkeypatch.setattr(fitting, "estimate_within", lambda *_, **__: all_else)
    # 2 MB are 54.25 experts.
    assert tiny_fitting().slots("tiny", parse_expert_memory("auto")) == slots


def test_what_auto_takes_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "machine_memory", lambda: 3 * 10**6)
    with pytest.raises(ModelTooLargeError):
        load("tiny", context=256)
    slots = slots_of(load("tiny", expert_memory="auto", context=256))
    assert slots is not None
    assert 8 <= slots < 128


def tiny_fitting() -> fitting.Fitting:
    checkpoint = open_checkpoint(bundled_path("tiny"))
    return fitting.Fitting(checkpoint, dtype=None, tokens=256, kv_bits=None)


def test_auto_on_a_machine_without_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "machine_memory", lambda: 10**6)
    with pytest.raises(ModelTooLargeError, match=r"this machine has 0\.0 GB for experts"):
        load("tiny", expert_memory="auto")


def test_memory_is_checked_by_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = tiny_fitting()
    rest = tiny.checkpoint.nbytes(expert_slots=0)
    monkeypatch.setattr(fitting, "machine_memory", lambda: 3 * 10**6)
    tiny.check(10)
    with pytest.raises(ModelTooLargeError, match=f"needs {(rest + 64 * EXPERT) / 10**6:.1f} MB"):
        tiny.check(64)


def test_too_few_slots() -> None:
    with pytest.raises(UsageError) as caught:
        load("tiny", expert_memory="6%")
    assert "7 of the 128 experts of each layer, and each token goes through 8" in str(caught.value)


def test_a_dense_model_has_no_experts() -> None:
    with pytest.raises(UsageError, match="tiny-dense has no experts that could stay on disk"):
        load("tiny-dense", expert_memory="auto")


def test_what_is_no_amount() -> None:
    with pytest.raises(UsageError, match="'lots' is no amount of memory for experts"):
        load("tiny", expert_memory="lots")


def fails_after(reads: int) -> Callable[..., int]:
    """A disk that reads so many times and then no more."""
    left: Iterator[int] = iter(range(reads))
    real = os.preadv

    def preadv(*args: object) -> int:
        if next(left, None) is None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(*args)  # type: ignore[arg-type]

    return preadv


@pytest.mark.parametrize("reads", [0, 200])
def test_a_conversation_outlives_a_disk_that_fails(
    whole: LLM, monkeypatch: pytest.MonkeyPatch, reads: int
) -> None:
    chats = [load("tiny", expert_memory="10%").chat(thinking=False), whole.chat(thinking=False)]
    for chat in chats:
        chat.send("What is 2 + 3?")
    with monkeypatch.context() as patch:
        patch.setattr(os, "preadv", fails_after(reads))
        with pytest.raises(ModelFileError, match="cannot be read: Input/output error"):
            chats[0].send(QUESTION)
    for chat in chats:
        chat.send(QUESTION)
    assert chats[0].messages == chats[1].messages


def test_a_file_that_changes_is_noticed_and_the_conversation_kept(tmp_path: Path) -> None:
    folder = tmp_path / "tiny"
    shutil.copytree(bundled_path("tiny"), folder)
    chat = load(str(folder), expert_memory="10%").chat(thinking=False)
    chat.send("What is 2 + 3?")
    before = list(chat.messages)
    os.utime(folder / "model.safetensors", ns=(0, 0))
    with pytest.raises(ModelFileError, match="has changed since the model was opened") as caught:
        chat.send(QUESTION)
    assert caught.value.exit_code == 5
    assert chat.messages == before
