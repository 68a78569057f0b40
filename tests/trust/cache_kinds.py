"""Kinds of wrong files in the place of saved prompts, and models that other prompts were saved of.

Knows what is wrong with each. Does not know what is done with it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeAlias, cast
from unittest.mock import patch

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx.checkpoint import prompt_file, prompt_identity
from qwen3_mlx.convert import convert

WEIGHTS, TOKENIZER, TEMPLATE = "model.safetensors", "tokenizer.json", "chat_template.jinja"
TERABYTE = 2**40

Damage: TypeAlias = Callable[[Path], object]
"""Makes a file of a saved prompt a wrong one."""


def rewritten(change: Callable[[bytearray], object]) -> Damage:
    """Other bytes under the same name."""

    def damage(path: Path) -> None:
        data = bytearray(path.read_bytes())
        change(data)
        path.write_bytes(data)

    return damage


def in_place_of(make: Damage) -> Damage:
    """Something else under the same name."""

    def damage(path: Path) -> None:
        path.unlink()
        make(path)

    return damage


def stated(name: str, value: str) -> Damage:
    """Another value of a field that says what the file is, as our own writer would format it."""

    def damage(path: Path) -> None:
        header, numbers = split(path.read_bytes())
        entries = json.loads(header)
        entries["__metadata__"][name] = value
        path.write_bytes(joined(json.dumps(entries, separators=(",", ":")).encode(), numbers))

    return damage


def split(data: bytes) -> tuple[bytes, bytes]:
    """The header and the numbers of a file."""
    end = 8 + int.from_bytes(data[:8], "little")
    return data[8:end], data[end:]


def joined(header: bytes, numbers: bytes) -> bytes:
    """A file of a header and numbers."""
    return len(header).to_bytes(8, "little") + header + numbers


def ids_of(data: bytes) -> list[int]:
    """The ids that a file says it holds."""
    about = json.loads(split(data)[0])["__metadata__"]
    return [int(word) for word in about["ids"].split()]


def _other_dtype(path: Path) -> None:
    """Float16, with a checksum that is right: as many numbers in half the bytes."""
    _forge(path, lambda entry: {**entry, "dtype": "F16"}, share=0.5)


def _fewer_layers(path: Path) -> None:
    """The last layer is not there; the checksum is right."""
    _forge(path, lambda entry: entry, without="3.", share=0.75)


def _wider_heads(path: Path) -> None:
    """Heads of twice the width, half as many; the checksum is right."""

    def wider(entry: dict[str, object]) -> dict[str, object]:
        one, heads, tokens, width = cast(list[int], entry["shape"])
        return {**entry, "shape": [one, heads // 2, tokens, 2 * width]}

    _forge(path, wider)


def _forge(
    path: Path,
    change: Callable[[dict[str, object]], dict[str, object]],
    *,
    without: str = "no such tensor",
    share: float = 1.0,
) -> None:
    """Another description of the arrays, with offsets, size and checksum as they ought to be."""
    header, numbers = split(path.read_bytes())
    numbers = numbers[: int(share * len(numbers))]
    entries = json.loads(header)
    about = entries.pop("__metadata__")
    kept = {name: change(entry) for name, entry in entries.items() if not name.startswith(without)}
    end = 0
    for entry in kept.values():
        start, end = end, end + len(numbers) // len(kept)
        entry["data_offsets"] = [start, end]
    ids = [int(word) for word in about["ids"].split()]
    about["sha256"] = prompt_file._digest(about["place"], ids, [numbers])
    text = json.dumps({"__metadata__": about, **kept}, separators=(",", ":")).encode()
    path.write_bytes(joined(text, numbers))


def _flip(data: bytearray) -> None:
    data[-1] ^= 1


def _flip_in_header(data: bytearray) -> None:
    data[60] ^= 1


def _zero_page(data: bytearray) -> None:
    """As a file system may leave one after a power cut."""
    data[-4096:] = bytes(4096)


DAMAGES: dict[str, Damage] = {
    "another version": stated("version", "0"),
    "another format": stated("format", "pt"),
    "another model's identity": stated("identity", "f" * 32),
    "another beginning": stated("place", "f" * 32),
    "other ids": stated("ids", "1 2 3"),
    "another dtype": _other_dtype,
    "another layer count": _fewer_layers,
    "another size of head": _wider_heads,
    "a flipped bit": rewritten(_flip),
    "a flipped bit in the header": rewritten(_flip_in_header),
    "a page of zeros": rewritten(_zero_page),
    "all zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
    "cut in the header": lambda path: os.truncate(path, 100),
    "empty": lambda path: os.truncate(path, 0),
    "a byte more": rewritten(lambda data: data.append(0)),
    "a terabyte, most of it a hole": lambda path: os.truncate(path, TERABYTE),
    "a header without end": lambda path: path.write_bytes((2**62).to_bytes(8, "little") * 99),
    "JSON without end": lambda path: path.write_bytes(joined(b"[" * 10**6, b"")),
    "a device without end": in_place_of(lambda path: path.symlink_to("/dev/zero")),
    "a pipe": in_place_of(os.mkfifo),
    "a link to nothing": in_place_of(lambda path: path.symlink_to("nothing")),
}

Change: TypeAlias = Callable[[Path], object]
"""Makes a model another one, in the same folder."""


def _other_weights(model: Path) -> None:
    weights = cast(dict[str, mx.array], mx.load(str(model / WEIGHTS)))
    scaled = {name: 1.01 * array if "scales" in name else array for name, array in weights.items()}
    mx.eval(scaled)
    mx.save_safetensors(str(model / WEIGHTS), scaled, {"format": "mlx"})


def _other_tokenizer(model: Path) -> None:
    data = json.loads((model / TOKENIZER).read_text("utf-8"))
    data["model"]["merges"].pop()
    (model / TOKENIZER).write_text(json.dumps(data), "utf-8")


def _other_template(model: Path) -> None:
    text = (model / TEMPLATE).read_text("utf-8")
    (model / TEMPLATE).write_text(text.replace("<|im_start|>", "<|im_start|>the "), "utf-8")


def _other_config(model: Path) -> None:
    config = json.loads((model / "config.json").read_text("utf-8"))
    (model / "config.json").write_text(json.dumps(config | {"rope_theta": 5e4}), "utf-8")


def _other_quantization(model: Path) -> None:
    other = model.with_name("8bit")
    convert("tiny-dense", other, "8bit", verify=False)
    for path in other.iterdir():
        path.replace(model / path.name)


CHANGES: dict[str, Change] = {
    "another model": _other_weights,
    "another tokenizer": _other_tokenizer,
    "another template": _other_template,
    "another rotary base": _other_config,
    "another quantization": _other_quantization,
}


@contextmanager
def another_version() -> Iterator[None]:
    """This package and MLX as they may be later."""
    with ExitStack() as patches:
        patches.enter_context(patch.object(qwen3_mlx, "__version__", "99.0"))
        patches.enter_context(patch.object(prompt_identity, "version", lambda _name: "99.0"))
        yield
