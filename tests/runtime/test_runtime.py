"""`load` and what it returns, over a small random checkpoint on disk."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import mlx.core as mx
import pytest

import qwen3_mlx
from qwen3_mlx.checkpoint.hub import Source
from qwen3_mlx.errors import (
    ContextOverflowError,
    ModelFileError,
    ModelNotFoundError,
    ModelTooLargeError,
    UsageError,
    shown,
)
from qwen3_mlx.events import ThinkingStopped
from qwen3_mlx.generation.limits import ANSWER_RESERVE
from qwen3_mlx.loading import load
from qwen3_mlx.model.qwen3 import Qwen3
from qwen3_mlx.runtime import LLM, Default
from qwen3_mlx.text.pieces import Message

HUGE = 10**5000
"""More digits than Python writes."""


@pytest.fixture
def llm(checkpoint: Path) -> LLM:
    return load(str(checkpoint))


def configure(checkpoint: Path, name: str, **fields: object) -> None:
    path = checkpoint / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_load_tells_what_it_loaded(llm: LLM, checkpoint: Path) -> None:
    assert (llm.name, llm.path, llm.source.kind) == (str(checkpoint), checkpoint, "directory")
    assert llm.context_length == 2048
    assert llm.load_seconds > 0
    assert repr(llm) == f"LLM({str(checkpoint)!r}, path={str(checkpoint)!r})"


def test_the_model_gives_logits(llm: LLM, random_model: Qwen3) -> None:
    ids = mx.array([llm.tokenizer.encode("What is 2 + 3?")])
    logits = llm.model(ids)
    assert logits.shape == (1, ids.size, llm.config.vocab_size)
    assert mx.allclose(logits, random_model(ids), atol=1e-4).item()


def test_text_goes_to_ids_and_back(llm: LLM) -> None:
    assert (
        llm.tokenizer.decode(llm.tokenizer.encode("Tom has 12 apples 🙂")) == "Tom has 12 apples 🙂"
    )


def test_generate_answers_a_string_and_messages_alike(llm: LLM) -> None:
    asked = llm.generate("Hi", system="Be brief.", max_tokens=20, thinking=False)
    told = llm.generate(
        [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        max_tokens=20,
        thinking=False,
    )
    assert asked.answer == told.answer
    assert asked.answer
    assert asked.usage.answer_tokens == 20
    assert asked.finish_reason == "length"
    assert asked.timing.load_seconds == llm.load_seconds


def test_generate_equals_the_first_turn_of_a_chat(llm: LLM) -> None:
    reply = llm.chat(max_tokens=20).send("Hi")
    assert llm.generate("Hi", max_tokens=20).answer == reply.answer


def test_two_system_prompts_are_refused(llm: LLM) -> None:
    with pytest.raises(UsageError, match="two system prompts"):
        llm.generate([{"role": "system", "content": "a"}], system="b")
    with pytest.raises(UsageError, match="no message"):
        llm.generate([])


@pytest.mark.parametrize(
    ("messages", "thinks"),
    [
        (["Hi"], True),
        (["Hi /no_think"], False),
        (["Hi /no_think", "Again"], False),
        (["Hi /no_think", "Again /think"], True),
        (["Hi", "<tool_response>\nRead /no_think\n</tool_response>"], True),
    ],
)
def test_switches_in_messages_count(
    llm: LLM, script: Any, messages: list[str], thinks: bool
) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    llm = replace(llm, model=script)
    prompt: list[Message] = [{"role": "user", "content": text} for text in messages]
    assert llm.generate(prompt).thinking == ("2 + 3 = 5" if thinks else "")
    assert llm.generate(prompt, thinking=False).thinking == ""


def test_switches_count_in_the_system_prompt_and_not_in_what_models_and_tools_say(
    llm: LLM, script: Any
) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    llm = replace(llm, model=script)
    history: list[Message] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "You may say /no_think"},
        {"role": "tool", "content": "/no_think"},
    ]
    assert llm.generate(history).thinking == "2 + 3 = 5"
    assert llm.generate(history, system="/no_think").thinking == ""
    later: list[Message] = [*history, {"role": "user", "content": "/think"}]
    assert llm.generate(later, system="/no_think").thinking == "2 + 3 = 5"


def test_the_default_budget_shrinks_where_one_given_would_conflict(llm: LLM, script: Any) -> None:
    script.tell("x " * 500, "It is five.")
    llm = replace(llm, model=script)
    reply = llm.generate("Hi", max_tokens=120)
    assert (reply.stop_thinking, reply.answer) == ("length", "It is five.")
    usage = reply.usage
    assert usage.thinking_tokens + usage.injected_tokens + ANSWER_RESERVE == 120
    with pytest.raises(UsageError, match="max_tokens 120"):
        llm.generate("Hi", max_tokens=120, budget=4096)


@pytest.mark.parametrize("budget", [Default.BUDGET, None, "auto"])
def test_too_little_room_for_thoughts_is_no_thinking(llm: LLM, script: Any, budget: Any) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    reply = replace(llm, model=script).generate("Hi", max_tokens=40, budget=budget)
    assert (reply.stop_thinking, reply.thinking) == ("length", "")
    assert reply.answer == "It is five."


def test_too_little_room_for_thoughts_is_told_before_the_answer(llm: LLM, script: Any) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    whole = replace(llm, model=script)
    prompt = whole.writer().write(whole.request("Hi"))
    least = 2 + len(whole.writer().stop_instruction) + ANSWER_RESERVE + 1  # two tags, one thought
    small = replace(whole, context_length=len(prompt.ids) + least - 1)
    stopped, *_ = small.chat(budget=64).stream("Hi")
    assert isinstance(stopped, ThinkingStopped)
    assert (stopped.reason, stopped.thinking_tokens) == ("length", 0)
    assert stopped.why == f"it takes {least} tokens, and the context has {least - 1} left"
    enough = replace(whole, context_length=len(prompt.ids) + least)
    assert enough.generate("Hi", budget=64).usage.thinking_tokens == 1


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"max_tokens": 1.5}, "max_tokens is 1.5"),
        ({"max_tokens": math.nan}, "max_tokens is nan"),
        ({"max_tokens": "8"}, "max_tokens is '8'"),
        ({"top_k": "3"}, "top_k is '3'"),
        ({"top_k": 2.5}, "top_k is 2.5"),
        ({"temp": "hot"}, "temperature is 'hot'"),
        ({"temp": True}, "temperature is True"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"max_steps": 2.5}, "max_steps is 2.5"),
        ({"tools": 5}, "the tools are no list"),
        ({"system": 5}, "system is 5"),
    ],
)
def test_an_argument_of_another_type_is_named(llm: LLM, wish: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as error:
        llm.generate("Hi", **wish)
    assert error.value.hint
    with pytest.raises(UsageError, match=said):
        llm.chat(**wish)


@pytest.mark.parametrize("prompt", [["Hi"], b"Hi", None, 5, [None], {"role": "user"}])
def test_what_is_no_prompt_is_refused(llm: LLM, prompt: Any) -> None:
    with pytest.raises(UsageError, match="the prompt is neither text nor a list of messages"):
        llm.generate(prompt)
    with pytest.raises(UsageError, match=r"prompts\[1\]: the prompt is neither text"):
        llm.generate_batch(["Hi", prompt])
    if not isinstance(prompt, list):
        with pytest.raises(UsageError, match="text is"):
            llm.chat().send(prompt)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"name": None}, "name is None"),
        ({"name": 5}, "name is 5"),
        ({"name": Path("tiny")}, "name is .*Path"),
        ({"context": 1.5}, "a context of 1.5 tokens"),
        ({"max_kv": 5.5}, "max_kv is 5.5"),
        ({"kv_bits": "4"}, "kv_bits is '4'"),
        ({"kv_bits": 4.0}, "kv_bits is 4.0"),
        ({"draft": 5}, "draft is 5"),
        ({"expert_memory": 6}, "expert_memory is 6"),
        ({"calibration": "mine.json"}, "calibration is 'mine.json'"),
        ({"save_cache": "no"}, "save_cache is 'no'"),
    ],
)
def test_a_wish_of_another_type_is_named_before_anything_is_read(
    checkpoint: Path, wish: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        load(**({"name": str(checkpoint)} | wish))


@pytest.mark.parametrize(
    ("ids", "max_tokens", "said"),
    [
        ("x", 1, "a token id is 'x'"),
        ([1.5], 1, "a token id is 1.5"),
        (5, 1, "no ids"),
        ([1], 1.5, "max_tokens is 1.5"),
        ([1], None, "max_tokens is None"),
    ],
)
def test_ids_of_another_type_are_refused(llm: LLM, ids: Any, max_tokens: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        llm.stream_ids(ids, max_tokens=max_tokens)


def test_the_stop_instruction_can_be_changed(llm: LLM, script: Any) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    llm = replace(llm, model=script, stop_instruction="\nEnough.")
    assert llm.generate("Hi", budget=2).answer == "It is five."
    assert "\nEnough.\n</think>\n\nIt is five." in llm.tokenizer.decode(script.read)


@pytest.mark.parametrize(("kind", "budget"), [("bundled", 512), ("directory", 4096)])
def test_the_default_budget(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, kind: Any, budget: int
) -> None:
    source = Source(kind, "tiny", checkpoint)
    monkeypatch.setattr("qwen3_mlx.loading.resolve", lambda name, offline: source)
    llm = load("tiny")
    assert llm.defaults.budget == budget
    assert llm.chat().budget.limit == budget
    assert not llm.chat().budget.given


def test_a_budget_given(llm: LLM) -> None:
    assert llm.chat(budget=None).budget.limit is None
    assert llm.chat(budget=7).budget.limit == 7
    assert llm.chat(budget=7).budget.given


def test_stream_ids_continues_what_it_is_given(llm: LLM, random_model: Qwen3) -> None:
    ids = llm.tokenizer.encode("What is")
    expected = list(ids)
    for _ in range(12):
        logits = random_model(mx.array([expected]))[0, -1, : llm.tokenizer.vocab_size]
        expected.append(int(mx.argmax(logits).item()))  # type: ignore[arg-type]
    assert list(llm.stream_ids(ids, max_tokens=12)) == expected[len(ids) :]


def test_padding_of_the_embedding_is_never_said(
    llm: LLM, script: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    script.tell("2 + 3 = 5", "It is five.")
    llm, known = replace(llm, model=script), llm.tokenizer.vocab_size
    forward = type(script).last_logits
    padding = 1000.0 * (mx.arange(llm.config.vocab_size) >= known)
    assert padding.max().item() == 1000
    # So far apart that no other token is ever drawn.
    monkeypatch.setattr(type(script), "last_logits", lambda *args: 10 * forward(*args) + padding)
    for temp in (0.0, 1.0):
        assert llm.generate("Hi", temp=temp).answer == "It is five."
    prompt = llm.tokenizer.encode_pieces(llm.template.render([{"role": "user", "content": "Hi"}]))
    assert max(llm.stream_ids(prompt, max_tokens=20)) < known


def test_stream_ids_ends_with_the_context(llm: LLM) -> None:
    assert len(list(llm.stream_ids([1] * 2040, max_tokens=64))) == 8


def test_a_prompt_that_cannot_fit_is_refused_before_it_is_encoded(
    llm: LLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    encode = llm.tokenizer.encode

    def watched(text: str) -> list[int]:
        encoded.append(text)
        return encode(text)

    monkeypatch.setattr(llm.tokenizer, "encode", watched)
    with pytest.raises(ContextOverflowError, match=r"has at least \d+ tokens .* context 2048"):
        llm.generate("seven " * 700_000)
    assert max(map(len, encoded), default=0) < 1000


@pytest.mark.parametrize("ids", [[], [-1], [10**6]])
def test_stream_ids_refuses_ids_it_cannot_continue(llm: LLM, ids: list[int]) -> None:
    with pytest.raises(UsageError):
        llm.stream_ids(ids)
    with pytest.raises(ContextOverflowError, match="2048"):
        llm.stream_ids([1] * 2048)
    with pytest.raises(UsageError, match="max_tokens"):
        llm.stream_ids([1], max_tokens=0)
    with pytest.raises(UsageError, match="temperature"):
        llm.stream_ids([1], temp=-1)


def test_an_unknown_argument_is_not_dropped(llm: LLM) -> None:
    with pytest.raises(TypeError, match="heat"):
        llm.chat(heat=3)  # type: ignore[call-arg]


def test_a_seed_gives_the_same_answer(llm: LLM) -> None:
    def answer(seed: int) -> str:
        return llm.generate("Hi", temp=2.0, seed=seed, max_tokens=20).answer

    assert answer(5) == answer(5)
    assert answer(5) != answer(6)


def test_a_conversation_runs_in_another_thread(llm: LLM) -> None:
    chat, answers = llm.chat(max_tokens=20), [llm.generate("Hi", max_tokens=20).answer]
    thread = Thread(target=lambda: answers.append(chat.send("Hi").answer))
    thread.start()
    thread.join()
    chat.clear()
    answers.append(chat.send("Hi").answer)
    assert answers == [answers[0]] * 3


@pytest.mark.parametrize("context", [0, -HUGE, HUGE, float("nan"), True], ids=shown)
def test_what_is_no_context_is_refused(checkpoint: Path, context: Any) -> None:
    with pytest.raises(UsageError, match=r"a context of .* tokens is not possible"):
        load(str(checkpoint), context=context)


@pytest.mark.parametrize(
    "given", [{"seed": HUGE}, {"max_tokens": -HUGE}, {"budget": -HUGE}, {"max_steps": -HUGE}]
)
def test_numbers_of_any_length_are_refused_in_words(llm: LLM, given: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="is a number of 16610 bits"):
        llm.generate("Hi", **given)


def test_a_longer_context_turns_yarn_on(checkpoint: Path) -> None:
    stretched = load(str(checkpoint), context=4096)
    assert stretched.context_length == 4096
    assert stretched.config.rope_scaling is not None


def test_sampling_defaults_come_from_the_model(checkpoint: Path) -> None:
    values = {"do_sample": True, "temperature": 0.5, "top_k": 7, "top_p": 0.9}
    configure(checkpoint, "generation_config.json", **values)
    defaults = load(str(checkpoint)).defaults
    assert (defaults.thinking.temperature, defaults.thinking.top_k) == (0.5, 7)
    assert (defaults.answering.temperature, defaults.answering.top_p) == (0.7, 0.8)


def test_a_bad_generation_config_is_refused_by_field(checkpoint: Path) -> None:
    configure(checkpoint, "generation_config.json", do_sample=True, temperature="hot")
    with pytest.raises(ModelFileError, match=r"generation_config\.json: temperature"):
        load(str(checkpoint))


def test_a_model_that_does_not_fit_is_refused(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("qwen3_mlx.fitting.machine_memory", lambda: 10_000)
    with pytest.raises(ModelTooLargeError, match=r"this machine has 10\.0 kB"):
        load(str(checkpoint))


def test_a_context_beyond_the_model_is_refused_whatever_the_memory(checkpoint: Path) -> None:
    """No shorter context or rounded cache is proposed, which the model could not have either."""
    for context in (10**7, 10**12):
        with pytest.raises(UsageError, match=rf"{context} tokens is too long for this model"):
            load(str(checkpoint), context=context)


def test_a_model_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFoundError):
        load(str(tmp_path / "nowhere"))


def test_the_public_names_are_there_and_lazy() -> None:
    code = (
        "import sys, qwen3_mlx; early = 'mlx' in sys.modules;"
        "names = [getattr(qwen3_mlx, name) for name in qwen3_mlx.__all__];"
        "print(early, len(names), qwen3_mlx.load.__module__, 'mlx_lm' in sys.modules,"
        " 'transformers' in sys.modules, qwen3_mlx.convert.convert.__name__)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    expected = ["False", "16", "qwen3_mlx.loading", "False", "False", "convert"]
    assert result.stdout.split() == expected
    with pytest.raises(AttributeError, match="nothing_of_it"):
        _ = qwen3_mlx.nothing_of_it  # type: ignore[attr-defined]
    assert dir(qwen3_mlx) == sorted(qwen3_mlx.__all__)


@pytest.mark.parametrize("method", ["generate", "chat"])
def test_an_argument_that_there_is_not_is_named(llm: LLM, method: str) -> None:
    with pytest.raises(TypeError, match=rf"{method}\(\) has no argument 'temperature'; .* temp,"):
        getattr(llm, method)(**{"prompt": "Hi"} if method == "generate" else {}, temperature=1)


def test_where_memory_is_short_a_prompt_is_read_in_smaller_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left beside weights and cache decides; the reply is the same."""
    plenty = load("tiny")
    assert plenty.prefill_chunk == 512
    least = next(size for size in range(10**6, 10**9, 10**6) if _loads(monkeypatch, size))
    monkeypatch.setattr("qwen3_mlx.fitting.machine_memory", lambda: least)
    short = load("tiny")
    assert short.prefill_chunk < 512
    prompt = "What is 2 + 3? " * 20
    read: list[int] = []
    reply = short.generate(prompt, on_prefill=lambda done, _total: read.append(done))
    assert len(read) > 1
    assert reply.answer == plenty.generate(prompt).answer


def _loads(monkeypatch: pytest.MonkeyPatch, memory: int) -> bool:
    monkeypatch.setattr("qwen3_mlx.fitting.machine_memory", lambda: memory)
    try:
        load("tiny")
    except ModelTooLargeError:
        return False
    return True
