"""Safetensors headers: what is read out of sound ones, and what is refused in others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.checkpoint.header import ITEM_BYTES, TensorInfo, parse_header, read_header
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError

HERE = Path("model.safetensors")
A = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
B = {"dtype": "BF16", "shape": [4], "data_offsets": [24, 32]}


def safetensors(header: object, data: bytes) -> bytes:
    """A file with that header, sound or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data


def read(tmp_path: Path, content: bytes) -> dict[str, TensorInfo]:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    return read_header(path)


def test_golden_bytes(tmp_path: Path) -> None:
    text = (
        b'{"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},'
        b'"a":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]}}'
    )
    content = len(text).to_bytes(8, "little") + text + bytes(7)
    path, base = tmp_path / "model.safetensors", 8 + len(text)
    assert read(tmp_path, content) == {
        "a": TensorInfo("a", "F16", (1, 2), base, base + 4, path),
        "b": TensorInfo("b", "U8", (3,), base + 4, base + 7, path),
    }


def test_scalars_empty_tensors_padding_and_metadata(tmp_path: Path) -> None:
    header = {
        "__metadata__": {"format": "pt"},
        "scalar": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
        "empty": {"dtype": "F32", "shape": [0, 7], "data_offsets": [4, 4]},
    }
    text = json.dumps(header).encode() + b"   "
    tensors = read(tmp_path, safetensors(text, bytes(4)))
    assert {name: (info.shape, info.nbytes) for name, info in tensors.items()} == {
        "scalar": ((), 4),
        "empty": ((0, 7), 0),
    }


@pytest.mark.parametrize(
    ("header", "size", "message"),
    [
        ({"a": A, "b": {**B, "data_offsets": [20, 28]}}, 28, "the tensor 'b' overlaps another"),
        ({"a": A, "b": {**B, "data_offsets": [28, 36]}}, 36, "the tensor 'b' comes after a gap"),
        ({"b": B}, 32, "the tensor 'b' comes after a gap"),
        ({"a": A, "b": A}, 24, "the tensor 'b' overlaps another"),
        ({"a": A, "b": B}, 33, "has 1 bytes that belong to no tensor"),
        ({"a": A, "b": B}, 31, "is cut off: it has"),
        ({}, 5, "has 5 bytes that belong to no tensor"),
        ({"a": {**A, "data_offsets": [0, 20]}}, 20, "20 bytes, which is not F32 of shape [2, 3]"),
        ({"a": {**A, "data_offsets": [24, 0]}}, 24, "the impossible offsets [24, 0]"),
        ({"a": {**A, "data_offsets": [0, 24, 24]}}, 24, "the impossible offsets [0, 24, 24]"),
        ({"a": {**A, "data_offsets": [-24, 0]}}, 24, "by [-24, 0], no whole numbers"),
        ({"a": {**A, "data_offsets": [0.0, 24.0]}}, 24, "by [0.0, 24.0], no whole numbers"),
        ({"a": {**A, "shape": [True, 6]}}, 24, "by [True, 6], no whole numbers"),
        ({"a": {**A, "shape": "6"}}, 24, "by '6', no whole numbers"),
        ({"a": {**A, "shape": [2**32 + 6]}}, 24, "the impossible shape (4294967302,)"),
        ({"a": {**A, "shape": [6] + [1] * 8}}, 24, "the impossible shape (6, 1, 1, 1"),
        ({"a": {**A, "extra": 1}}, 24, "the tensor 'a' by other than dtype, shape, offsets"),
        ({"a": [1, 2]}, 24, "the tensor 'a' by other than dtype, shape, offsets"),
        ({"__metadata__": {"n": 1}}, 0, "__metadata__ is no object of strings"),
        ({"__metadata__": []}, 0, "__metadata__ is no object of strings"),
        (b'{"a":1,"a":2}', 0, "is not valid JSON: the key 'a' is there twice"),
        (b'{"a":{"dtype":"U8","dtype":"U8"}}', 0, "the key 'dtype' is there twice"),
        (b'{"a":NaN}', 0, "NaN is no JSON number"),
        (b"[]", 0, "holds no JSON object"),
        (b"{", 0, "is not valid JSON"),
        (b"\xff{}", 0, "is not valid JSON"),
        (b"[" * 100_000, 0, "is not valid JSON"),
        (b'{"a":' + b"9" * 5000 + b"}", 0, "is not valid JSON"),
    ],
)
def test_refusals(tmp_path: Path, header: object, size: int, message: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        read(tmp_path, safetensors(header, bytes(size)))
    assert message in caught.value.message
    assert str(tmp_path / "model.safetensors") in caught.value.message
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("dtype", ["F4", "F128", "f32", None, ["F32"]])
def test_an_unknown_dtype_is_refused_by_name(tmp_path: Path, dtype: object) -> None:
    with pytest.raises(UnsupportedModelError) as caught:
        read(tmp_path, safetensors({"a": {**A, "dtype": dtype}}, bytes(24)))
    assert f"the tensor 'a' has the dtype {dtype!r}, which is not supported" in caught.value.message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is cut off: 0 bytes do not hold the header"),
        (b"\x02\x00\x00", "is cut off: 3 bytes do not hold the header"),
        (b"\x03\x00\x00\x00\x00\x00\x00\x00{}", "is cut off: 10 bytes do not hold the header"),
        (b"\xff" * 8 + b"{}", "is cut off: 10 bytes do not hold the header"),
    ],
)
def test_a_lying_or_truncated_length(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ModelFileError, match=message):
        read(tmp_path, content)


def test_a_header_too_large_to_be_one_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with path.open("wb") as file:
        file.write((2**33).to_bytes(8, "little"))
        file.truncate(2**33 + 8)
    with pytest.raises(ModelFileError, match="has a header of 8589934592 bytes, more than 4194304"):
        read_header(path)


def test_only_regular_files(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match="is not a regular file"):
        read_header(tmp_path)
    with pytest.raises(ModelFileError, match="absent is missing"):
        read_header(tmp_path / "absent")


# Anything that JSON can say, with the words and numbers of headers more often than not.
NUMBERS = st.integers(-4, 40) | st.sampled_from([2**31, 2**32, 2**63, 2**64, 10**30])
LEAVES = NUMBERS | st.none() | st.booleans() | st.floats() | st.sampled_from([*ITEM_BYTES, ""])
ANYTHING = st.recursive(
    LEAVES, lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(), part, max_size=3)
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from([*ITEM_BYTES]) | ANYTHING,
        "shape": st.lists(st.integers(0, 4), max_size=3) | ANYTHING,
        "data_offsets": st.tuples(st.integers(0, 40), st.integers(0, 40)).map(list) | ANYTHING,
    }
)
HEADER = st.dictionaries(st.sampled_from(["a", "b", "__metadata__"]) | st.text(), ENTRY | ANYTHING)


def accepted(header: bytes, data_bytes: int) -> dict[str, TensorInfo] | None:
    """The tensors, or None for a refusal; any other error fails the test."""
    try:
        return parse_header(HERE, header, 8 + len(header) + data_bytes)
    except ModelFileError:
        return None


@given(st.binary(max_size=200), st.integers(0, 64))
def test_only_our_errors_come_out_of_bytes(header: bytes, size: int) -> None:
    accepted(header, size)


@settings(max_examples=200)
@given(HEADER, st.integers(0, 64))
def test_only_our_errors_come_out_of_json(header: dict[str, Any], size: int) -> None:
    text = json.dumps(header).encode()
    tensors = accepted(text, size)
    if tensors is not None:
        assert sum(info.nbytes for info in tensors.values()) == size


@given(st.data())
def test_only_our_errors_come_out_of_a_damaged_file(data: st.DataObject) -> None:
    text = bytearray(json.dumps({"a": A, "b": B}).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))
    accepted(bytes(text), 32)


SHAPES = st.lists(st.integers(0, 5), max_size=4).map(tuple)


@settings(max_examples=30)
@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), SHAPES, min_size=1))
def test_what_mlx_writes_is_read_as_mlx_reads_it(
    tmp_path_factory: pytest.TempPathFactory, shapes: dict[str, tuple[int, ...]]
) -> None:
    shapes.pop("__metadata__", None)
    path = tmp_path_factory.mktemp("written") / "model.safetensors"
    mx.save_safetensors(str(path), {name: mx.zeros(shape) for name, shape in shapes.items()})
    found = {name: info.shape for name, info in read_header(path).items()}
    assert found == shapes
