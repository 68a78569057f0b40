"""Model folders from strangers, through `load`: each bad one is refused before a number is read."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import cast

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint import load as loading
from qwen3_mlx.errors import ModelFileError, NonFiniteError
from qwen3_mlx.events import Event
from qwen3_mlx.runtime import LLM, load

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
NORM = "model.norm.weight"


def weights(folder: Path) -> dict[str, mx.array]:
    return cast(dict[str, mx.array], mx.load(str(folder / WEIGHTS)))


def save(folder: Path, changes: Mapping[str, mx.array | None]) -> None:
    """Weights with some put in, or taken out where they are None."""
    tensors = {**weights(folder), **changes}
    kept = {name: array for name, array in tensors.items() if array is not None}
    mx.eval(kept)
    mx.save_safetensors(str(folder / WEIGHTS), kept)


def configure(folder: Path, name: str, **fields: object) -> None:
    path = folder / name
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def cut_off(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def overlap(folder: Path) -> None:
    """Two tensors of one shape on the same bytes, where MLX would read them."""
    path = folder / WEIGHTS
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    one, other = (f"model.layers.{n}.self_attn.q_norm.weight" for n in (0, 1))
    header[one]["data_offsets"] = header[other]["data_offsets"]
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def shard(folder: Path, *files: str) -> None:
    """The weights under the first name, and again under the others; an index of the first."""
    names = weights(folder).keys()
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).unlink()
    for file in files:
        (folder / file).write_bytes(data)
    places = {name: files[i % len(files)] for i, name in enumerate(names)}
    (folder / INDEX).write_text(json.dumps({"weight_map": places}))


def lose_the_shard(folder: Path) -> None:
    shard(folder, "one.safetensors")
    (folder / "one.safetensors").unlink()


def template(folder: Path, source: str) -> None:
    (folder / "chat_template.jinja").write_text(source)


LOOP = "{% for i in range(100000) %}" * 3 + "{% endfor %}" * 3
BAD: dict[str, tuple[Callable[[Path], object], str]] = {
    "weights cut off": (cut_off, "is cut off"),
    "tensors that overlap": (overlap, "overlaps another|comes after a gap"),
    "a missing tensor": (lambda f: save(f, {NORM: None}), f"the tensor {NORM} is missing"),
    "an extra tensor": (lambda f: save(f, {"x": mx.zeros(1)}), "'x' has no place"),
    "a misshapen tensor": (lambda f: save(f, {NORM: mx.ones(33)}), r"has the shape \[33\]"),
    "an index that points outside": (
        lambda f: shard(f, "../outside.safetensors"),
        "is not the plain name of a file",
    ),
    "a tensor in two shards": (
        lambda f: shard(f, "one.safetensors", "two.safetensors"),
        "is in two files",
    ),
    "a shard that is not there": (
        lose_the_shard,
        r"one\.safetensors is missing",
    ),
    "more layers than the file": (
        lambda f: configure(f, "config.json", num_hidden_layers=1000),
        r"the tensor model\.layers\.2\.\S+ is missing",
    ),
    "a vocabulary of billions": (
        lambda f: configure(f, "config.json", vocab_size=10**10),
        r"config\.json: vocab_size",
    ),
    "another architecture": (
        lambda f: configure(f, "config.json", model_type="llama"),
        "model_type = 'llama' is not supported",
    ),
    "no config": (lambda f: (f / "config.json").unlink(), r"config\.json is missing"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
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
    "a template that never ends": (lambda f: template(f, LOOP), "does not end within 2 s"),
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
@pytest.mark.parametrize("name", [NORM, "model.layers.0.self_attn.v_proj.weight"])
def test_weights_that_are_not_finite_end_a_reply(
    checkpoint: Path, use: str, bad: float, name: str
) -> None:
    spoilt = mx.concatenate([mx.array([bad]), weights(checkpoint)[name].flatten()[1:]])
    save(checkpoint, {name: spoilt.reshape(weights(checkpoint)[name].shape)})
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
    trace = checkpoint / "trace"
    code = f"open({str(trace)!r}, 'w')\nclass Evil: pass\n"
    for name in ("evil.py", "modeling.py", "custom_generate/generate.py"):
        (checkpoint / name).parent.mkdir(exist_ok=True)
        (checkpoint / name).write_text(code)
    named = {"AutoModelForCausalLM": "modeling.Evil", "AutoTokenizer": ["evil.Evil", None]}
    configure(checkpoint, "config.json", auto_map=named, model_file="modeling.py")
    configure(checkpoint, "tokenizer_config.json", auto_map=named, tokenizer_class="Evil")
    configure(checkpoint, "generation_config.json", custom_generate="custom_generate")
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
