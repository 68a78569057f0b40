"""Faults of a safetensors file as a container: its prefix, its header, what lies behind it."""

from __future__ import annotations

import gzip
import json
import pickle

from tests.damage import NORM, Q_NORMS, WEIGHTS, Fault
from tests.trust.faults.edits import bytes_of, content, entries, entry, exchanged, header, longer

FILE = r"model\.safetensors"
SCALES = "model.layers.0.self_attn.q_proj.scales"
KEYS, VALUES = (f"model.layers.0.self_attn.{name}_proj.weight" for name in "kv")

DAMAGED = rf"{FILE} is not valid JSON"
NO_FIT = rf"{FILE} (gives|describes) the tensor"
UNKNOWN = rf"{FILE}: the tensor .* has the dtype"
OTHER = rf"{FILE} is not the file"


def claim(size: int) -> bytes:
    return size.to_bytes(8, "little")


def twice(text: bytes) -> bytes:
    again = json.dumps({NORM: json.loads(text)[NORM]})[1:-1]
    return b"{" + again.encode() + b"," + text[1:]


def flip_a_bit(data: bytes) -> bytes:
    place = len(data) - 1000
    return data[:place] + bytes([data[place] ^ 0x40]) + data[place + 1 :]


CONTAINER: dict[str, Fault] = {
    "no bytes": (bytes_of(WEIGHTS, b""), f"{FILE} is cut off"),
    "seven bytes": (content(WEIGHTS, lambda data: data[:7]), f"{FILE} is cut off"),
    "a header of no bytes": (header(lambda _: b""), DAMAGED),
    "a header of 4 GiB": (
        lambda f: (content(WEIGHTS, lambda d: claim(2**32) + d)(f), longer(WEIGHTS, 2**33)(f)),
        f"{FILE} has a header of 4294967296 bytes",
    ),
    "a header that is no JSON": (header(lambda text: b"\x80\x04" + text), DAMAGED),
    "a header in UTF-16": (header(lambda text: text.decode().encode("utf-16")), DAMAGED),
    "a header that is a list": (
        header(lambda text: b"[" + text + b"]"),
        rf"{FILE} holds no JSON object",
    ),
    "a header with a word after it": (header(lambda text: text + b" x"), DAMAGED),
    "a header with NaN": (header(lambda text: b'{"x":NaN,' + text[1:]), DAMAGED),
    "a header with a tensor twice": (header(twice), rf"{FILE} .*'{NORM}' is there twice"),
    "a header nested without end": (header(lambda _: b"[" * 100_000), DAMAGED),
    "a header of a million lists": (
        header(lambda _: b'{"x":[' + b"[]," * 10**6 + b"[]]}"),
        f"{FILE} holds more than 1048576",
    ),
    "a header with spaces after it": (header(lambda text: text + b" " * 64), DAMAGED),
    "an entry that is a number": (entries(lambda found: found.update({NORM: 7})), NO_FIT),
    "an entry without a dtype": (entries(lambda found: found[NORM].pop("dtype")), NO_FIT),
    "an entry with a field more": (entry(NORM, stride=1), NO_FIT),
    "a dtype that is not known": (entry(NORM, dtype="F4"), UNKNOWN),
    "a dtype that is a list": (entry(NORM, dtype=["F32"]), UNKNOWN),
    "a shape below nothing": (entry(NORM, shape=[-128]), NO_FIT),
    "a shape of fractions": (entry(NORM, shape=[128.0]), NO_FIT),
    "a shape of truths": (entry(NORM, shape=[True]), NO_FIT),
    "a shape that is text": (entry(NORM, shape="128"), NO_FIT),
    "a shape of 2^40": (entry(NORM, shape=[2**40]), NO_FIT),
    "a shape that is right in 32 bits": (entry(NORM, shape=[2**32 + 128]), NO_FIT),
    "a shape of nine axes": (entry(NORM, shape=[1] * 8 + [128]), NO_FIT),
    "offsets the wrong way round": (entry(NORM, data_offsets=[256, 0]), NO_FIT),
    "three offsets": (entry(NORM, data_offsets=[0, 1, 2]), NO_FIT),
    "offsets below nothing": (entry(NORM, data_offsets=[-256, 0]), NO_FIT),
    "offsets behind the file": (
        entry(NORM, data_offsets=[2**40, 2**40 + 256]),
        f"{FILE} is inconsistent: .* comes after a gap",
    ),
    "bytes between two tensors": (
        entries(lambda found: found.pop(KEYS)),
        f"{FILE} is inconsistent: .* comes after a gap",
    ),
    "a byte after the last tensor": (
        content(WEIGHTS, lambda data: data + b"\0"),
        f"{FILE} has 1 bytes that belong to no tensor",
    ),
    "a terabyte after the last tensor": (
        longer(WEIGHTS, 2**40),
        rf"{FILE} has \d+ bytes that belong to no tensor",
    ),
    "metadata that is text": (
        entries(lambda found: found.update(__metadata__="x")),
        f"{FILE} has a header whose __metadata__",
    ),
    "metadata with a number": (
        entries(lambda found: found.update(__metadata__={"a": 1})),
        f"{FILE} has a header whose __metadata__",
    ),
    "a name that is half a character": (
        entries(lambda found: found.update({"\ud800": found.pop(NORM)})),
        rf"{FILE} is not valid JSON: '\\ud800' is half of a character",
    ),
    "a name with a zero byte": (
        entries(lambda found: found.update({f"{NORM}\0": found.pop(NORM)})),
        rf"{FILE} holds the tensor '{NORM}\\x00'",
    ),
    "a tensor more, of no numbers": (
        entries(
            lambda found: found.update(x={"dtype": "F32", "shape": [0], "data_offsets": [0, 0]})
        ),
        rf"{FILE} holds the tensor 'x'",
    ),
    "a compressed file": (content(WEIGHTS, gzip.compress), f"{FILE} is cut off"),
    "a pickle": (bytes_of(WEIGHTS, pickle.dumps({NORM: [1.0] * 128})), f"{FILE} is cut off"),
    "a GGUF file": (
        content(WEIGHTS, lambda data: b"GGUF\x03\0\0\0" + data),
        f"{FILE} (is cut off|has a header)",
    ),
}

PLAUSIBLE: dict[str, Fault] = {
    "a flipped bit among the numbers": (content(WEIGHTS, flip_a_bit), OTHER),
    "two norms, exchanged": (exchanged(*Q_NORMS), OTHER),
    "keys and values, exchanged": (exchanged(KEYS, VALUES), OTHER),
    "numbers of another half precision": (entry(SCALES, dtype="F16"), OTHER),
}
