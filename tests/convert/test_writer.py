"""The file format, byte for byte."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import pytest

from qwen3_mlx.checkpoint.reader import read_header
from qwen3_mlx.convert.writer import ShardWriter, StoredTensor, to_json
from qwen3_mlx.errors import ConversionError

HALF = StoredTensor("half", mx.bfloat16, (1, 2))
WORDS = StoredTensor("words", mx.uint32, (2, 1))


def test_golden_bytes(tmp_path: Path) -> None:
    """The wider dtype lies first; keys are sorted; the header is filled to eight bytes."""
    with ShardWriter(tmp_path / "file", [HALF, WORDS]) as writer:
        writer.append("words", mx.array([[1], [258]], mx.uint32))
        writer.append("half", mx.array([[1.0, -2.0]], mx.bfloat16))
    header = (
        b'{"__metadata__":{"format":"mlx"},'
        b'"half":{"data_offsets":[8,12],"dtype":"BF16","shape":[1,2]},'
        b'"words":{"data_offsets":[0,8],"dtype":"U32","shape":[2,1]}}'
    )
    padding = b" " * (-len(header) % 8)
    length = (len(header) + len(padding)).to_bytes(8, "little")
    data = b"\x01\x00\x00\x00\x02\x01\x00\x00" + b"\x80\x3f\x00\xc0"
    assert (tmp_path / "file").read_bytes() == length + header + padding + data


def test_rows_of_several_tensors_may_come_interleaved(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    tensors = [StoredTensor("a", mx.float32, (2, 1)), StoredTensor("b", mx.float16, (2, 3))]
    with ShardWriter(path, tensors) as writer:
        for row in range(2):
            writer.append("b", mx.full((1, 3), row, mx.float16))
            writer.append("a", mx.full((1, 1), row, mx.float32))
    loaded = mx.load(str(path))
    assert isinstance(loaded, dict)
    assert loaded["a"].tolist() == [[0], [1]]
    assert loaded["b"].tolist() == [[0, 0, 0], [1, 1, 1]]
    assert set(read_header(path)) == {"a", "b"}


def test_a_file_that_is_not_filled_is_an_error(tmp_path: Path) -> None:
    with (
        pytest.raises(ConversionError, match="do not fill"),
        ShardWriter(tmp_path / "file", [WORDS]) as writer,
    ):
        writer.append("words", mx.array([[1]], mx.uint32))


def test_json_is_sorted_and_ends_with_one_newline() -> None:
    assert to_json({"b": [1], "a": "é"}) == '{\n  "a": "é",\n  "b": [\n    1\n  ]\n}\n'
