"""Ways in which a model folder can be bad, and what is said about each; for loading and converting.

The folder has two layers, in Hugging Face's format and a single file of weights.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias, cast

import mlx.core as mx

WEIGHTS, INDEX, CONFIG = "model.safetensors", "model.safetensors.index.json", "config.json"
NORM = "model.norm.weight"
VALUES = "model.layers.0.self_attn.v_proj.weight"
Q_NORMS = [f"model.layers.{n}.self_attn.q_norm.weight" for n in (0, 1)]

# What spoils a folder, and a pattern for the message that names where.
Fault: TypeAlias = tuple[Callable[[Path], object], str]
# A header's entries, by tensor.
Header: TypeAlias = dict[str, dict[str, object]]


def weights(folder: Path) -> dict[str, mx.array]:
    return cast(dict[str, mx.array], mx.load(str(folder / WEIGHTS)))


def save(folder: Path, changes: Mapping[str, mx.array | None]) -> None:
    """Weights with some put in, or taken out where they are None."""
    tensors = {**weights(folder), **changes}
    kept = {name: array for name, array in tensors.items() if array is not None}
    mx.eval(kept)
    mx.save_safetensors(str(folder / WEIGHTS), kept)


def spoil(folder: Path, name: str, number: float) -> None:
    """One number of a tensor replaced, its first."""
    array = weights(folder)[name]
    rest = array.flatten()[1:]
    first = mx.array([number], array.dtype)
    save(folder, {name: mx.concatenate([first, rest]).reshape(array.shape)})


def configure(folder: Path, name: str, **fields: object) -> None:
    path = folder / name
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | fields))


def config(**fields: object) -> Callable[[Path], None]:
    return lambda folder: configure(folder, CONFIG, **fields)


def cut_off(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:-100])


def cut_off_within_the_header(folder: Path) -> None:
    path = folder / WEIGHTS
    path.write_bytes(path.read_bytes()[:100])


def claim_a_long_header(folder: Path) -> None:
    """Of 2^62 bytes."""
    path = folder / WEIGHTS
    path.write_bytes((2**62).to_bytes(8, "little") + path.read_bytes()[8:])


def edit_header(folder: Path, change: Callable[[Header], object]) -> None:
    path = folder / WEIGHTS
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[8 + length :])


def overlap(header: Header) -> None:
    """Two tensors of one shape on the same bytes, where MLX would read them."""
    one, other = Q_NORMS
    header[one]["data_offsets"] = header[other]["data_offsets"]


def misstate_a_shape(header: Header) -> None:
    """One number more than there are bytes for."""
    (size,) = cast(list[int], header[NORM]["shape"])
    header[NORM]["shape"] = [size + 1]


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


def name_code(folder: Path) -> Path:
    """Python files, and configs that name them; returns what is there once one has run."""
    trace = folder / "trace"
    code = f"open({str(trace)!r}, 'w')\nclass Evil: pass\n"
    for name in ("evil.py", "modeling.py", "custom_generate/generate.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(code)
    named = {"AutoModelForCausalLM": "modeling.Evil", "AutoTokenizer": ["evil.Evil", None]}
    configure(folder, CONFIG, auto_map=named, model_file="modeling.py")
    configure(folder, "tokenizer_config.json", auto_map=named, tokenizer_class="Evil")
    configure(folder, "generation_config.json", custom_generate="custom_generate")
    return trace


FAULTS: dict[str, Fault] = {
    "weights cut off": (cut_off, r"model\.safetensors is cut off: .*its header describes"),
    "a header cut off": (
        cut_off_within_the_header,
        r"model\.safetensors is cut off: 100 bytes do not hold the header",
    ),
    "a header that lies about its length": (
        claim_a_long_header,
        r"model\.safetensors is cut off: \d+ bytes do not hold the header",
    ),
    "a header that lies about a shape": (
        lambda f: edit_header(f, misstate_a_shape),
        rf"model\.safetensors gives the tensor '{NORM}' \d+ bytes",
    ),
    "tensors that overlap": (
        lambda f: edit_header(f, overlap),
        r"model\.safetensors is inconsistent: .*(overlaps another|comes after a gap)",
    ),
    "a missing tensor": (lambda f: save(f, {NORM: None}), f"the tensor {NORM} is missing"),
    "an extra tensor": (lambda f: save(f, {"x": mx.zeros(1)}), "'x' has no place"),
    "a misshapen tensor": (
        lambda f: save(f, {NORM: mx.ones(33)}),
        rf"{NORM} has the shape \[33\]",
    ),
    "an index that points outside": (
        lambda f: shard(f, "../outside.safetensors"),
        r"'\.\./outside\.safetensors' is not the plain name of a file",
    ),
    "a tensor in two shards": (
        lambda f: shard(f, "one.safetensors", "two.safetensors"),
        r"is in two files: \S*one\.safetensors and \S*two\.safetensors",
    ),
    "a shard that is not there": (lose_the_shard, r"one\.safetensors is missing"),
    "more layers than the file": (
        config(num_hidden_layers=1000),
        r"the tensor model\.layers\.2\.\S+ is missing",
    ),
    "a vocabulary of billions": (config(vocab_size=10**10), r"config\.json: vocab_size"),
    "layers without end": (config(num_hidden_layers=2**40), r"config\.json: num_hidden_layers"),
    "no heads": (config(num_attention_heads=0), r"config\.json: num_attention_heads"),
    "a size below nothing": (config(hidden_size=-32), r"config\.json: hidden_size"),
    "a size that is no number": (config(head_dim="16"), r"config\.json: head_dim"),
    "a number that is none": (config(rms_norm_eps=float("nan")), r"config\.json is not valid"),
    "another architecture": (
        config(model_type="llama"),
        "model_type = 'llama' is not supported",
    ),
    "no config": (lambda f: (f / CONFIG).unlink(), r"config\.json is missing"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "has no weights"),
    "no tokenizer": (lambda f: (f / "tokenizer.json").unlink(), "no tokenizer"),
}
