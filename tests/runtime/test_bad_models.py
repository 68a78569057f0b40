"""Model folders from strangers, through `load`: each bad one is refused before a number is read."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint import load as loading
from qwen3_mlx.errors import ModelFileError, NonFiniteError
from qwen3_mlx.events import Event
from qwen3_mlx.loading import load
from qwen3_mlx.runtime import LLM
from tests.damage import FAULTS, NORM, VALUES, Fault, configure, name_code, save, spoil


def template(folder: Path, source: str) -> None:
    (folder / "chat_template.jinja").write_text(source)


LOOP = "{% for i in range(100000) %}" * 3 + "{% endfor %}" * 3
BAD: dict[str, Fault] = FAULTS | {
    "a damaged tokenizer": (
        lambda f: (f / "tokenizer.json").write_text("{"),
        r"tokenizer\.json is not valid JSON",
    ),
    "a tokenizer larger than the embedding": (
        lambda f: configure(
            f, "tokenizer.json", added_tokens=[{"content": "<|im_end|>", "id": 10**6}]
        ),
        "has ids up to 1000000, the model only",
    ),
    "an end id that is none": (
        lambda f: configure(f, "generation_config.json", eos_token_id=10**6),
        "eos_token_id",
    ),
    "no template": (lambda f: (f / "chat_template.jinja").unlink(), "no chat template"),
    "a template that tries to escape": (
        lambda f: template(f, "{{ ''.__class__.__mro__[1].__subclasses__() }}"),
        "tries to leave its sandbox",
    ),
    "a template that never ends": (lambda f: template(f, LOOP), r"does not end within 1\.5 s"),
    "a template that fills the memory": (
        lambda f: template(f, "{{ 'x' * 10 ** 10 }}"),
        "too much memory or text|does not end",
    ),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_folder_is_refused_before_a_number_is_read(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    damage, message = BAD[fault]
    damage(checkpoint)
    monkeypatch.setattr(mx, "load", lambda *_, **__: pytest.fail("a number was read"))
    monkeypatch.setattr(loading, "Qwen3", lambda *_: pytest.fail("a module was built"))
    with pytest.raises(ModelFileError, match=message) as error:
        load(str(checkpoint))
    assert error.value.exit_code == 5


USES: dict[str, Callable[[LLM], object]] = {
    "generate": lambda llm: llm.generate("Hi", max_tokens=9),
    "chat": lambda llm: llm.chat(max_tokens=9).send("Hi"),
    "sampled": lambda llm: llm.generate("Hi", max_tokens=9, temp=1.0, top_p=0.9),
    "raw": lambda llm: list(llm.stream_ids([1, 2, 3], max_tokens=9)),
}


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("name", [NORM, VALUES])
def test_weights_that_are_not_finite_end_a_reply(
    checkpoint: Path, use: str, bad: float, name: str
) -> None:
    spoil(checkpoint, name, bad)
    llm = load(str(checkpoint))
    with pytest.raises(NonFiniteError, match="not finite") as error:
        USES[use](llm)
    assert error.value.exit_code == 5
    assert error.value.hint


def test_not_one_event_comes_of_numbers_that_are_not_finite(checkpoint: Path) -> None:
    save(checkpoint, {NORM: mx.full((32,), float("nan"))})
    chat, events = load(str(checkpoint)).chat(), list[Event]()
    with pytest.raises(NonFiniteError):
        events.extend(chat.stream("Hi"))
    assert events == []
    assert chat.messages == []


def test_code_that_a_model_names_is_never_run(checkpoint: Path) -> None:
    trace = name_code(checkpoint)
    template(checkpoint, "{% for m in messages %}{{ m.content }}{% endfor %}")
    assert load(str(checkpoint)).generate("Hi", max_tokens=3).usage.answer_tokens == 3
    assert not trace.exists()


def test_a_reply_needs_no_library_that_is_slow_to_import(checkpoint: Path) -> None:
    slow = {"mlx_lm", "transformers", "torch", "jinja2", "sentencepiece", "huggingface_hub"}
    code = (
        "import sys, qwen3_mlx; llm = qwen3_mlx.load(sys.argv[1]);"
        "print(llm.generate('Hi', max_tokens=2).usage.answer_tokens,"
        f" sorted({slow!r} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(checkpoint)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "2 []\n"
