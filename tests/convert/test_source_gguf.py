"""GGUF files as sources, written by the `gguf` package."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gguf
import mlx.core as mx
import numpy as np
import pytest

from qwen3_mlx.checkpoint.load import load_checkpoint
from qwen3_mlx.convert import convert
from qwen3_mlx.convert.sources import Rows, open_source
from qwen3_mlx.convert.sources.gguf.header import read_gguf_header
from qwen3_mlx.errors import ModelFileError, NonFiniteError, UnsupportedModelError
from qwen3_mlx.text.tokenizer import load_tokenizer
from tests.convert.gguf_files import (
    SMALL,
    TEMPLATE,
    Add,
    kind_of,
    nothing,
    numpy,
    write_gguf,
    write_k_quants,
)

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

TOKENS = SMALL.tokens
END, IM_END, THINK = 258, 259, 260


def save_gguf(path: Path, checkpoint: Checkpoint, matrices: str, **more: Any) -> Path:
    return write_gguf(path, checkpoint.config, checkpoint.arrays, matrices, **more)


@pytest.fixture
def small(make_checkpoint: Callable[..., Checkpoint]) -> Checkpoint:
    """One layer of four experts, with as many rows in the embedding as there are tokens."""
    return make_checkpoint({"num_hidden_layers": 1, "num_experts": 4, "vocab_size": len(TOKENS)})


@pytest.mark.parametrize("matrices", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_every_tensor_has_its_place_and_numbers(
    small: Checkpoint, tmp_path: Path, matrices: str
) -> None:
    source = open_source(save_gguf(tmp_path / "m.gguf", small, matrices))
    for name, array in small.arrays.items():
        kind = kind_of(name, matrices)
        quantized = gguf.quants.quantize(numpy(array), kind)
        expected = gguf.quants.dequantize(quantized, kind).reshape(-1, array.shape[-1])
        (rows,) = source.rows(name)
        assert np.array_equal(numpy(source.read(rows)), expected)
        part = source.read(Rows(name, 0, rows.stop // 2 or 1))
        assert np.array_equal(numpy(part), expected[: rows.stop // 2 or 1])


WIDE = {
    "head_dim": 64,
    "hidden_size": 256,
    "intermediate_size": 512,
    "moe_intermediate_size": 256,
    "num_experts": 4,
    "vocab_size": len(TOKENS),
}


@pytest.fixture(params=["dense", "moe"])
def wide(request: pytest.FixtureRequest) -> dict[str, object]:
    """The config of a network in which every row is blocks of 256 numbers."""
    checkpoint: Checkpoint = request.getfixturevalue(request.param)
    return checkpoint.config | {n: size for n, size in WIDE.items() if n in checkpoint.config}


def test_k_quants_in_whole_files(wide: dict[str, object], tmp_path: Path) -> None:
    """Random blocks: what is read, also in part, and what stands in a converted folder."""
    path = tmp_path / "m.gguf"
    numbers = write_k_quants(path, wide)
    source = open_source(path)
    written = mx.load(str(convert(path, tmp_path / "out", "bf16") / "model.safetensors"))
    assert isinstance(written, dict)
    assert written.keys() == numbers.keys()
    for name, expected in numbers.items():
        assert np.isfinite(expected).all()
        (rows,) = source.rows(name)
        matrix, middle = expected.reshape(-1, expected.shape[-1]), rows.stop // 2
        assert np.array_equal(numpy(source.read(rows)), matrix)
        assert np.array_equal(numpy(source.read(Rows(name, middle, rows.stop))), matrix[middle:])
        assert mx.array_equal(written[name], mx.array(expected).astype(mx.bfloat16))


@pytest.mark.parametrize(
    ("matrices", "dtype"),
    [("F32", mx.float32), ("F16", mx.float16), ("BF16", mx.bfloat16), ("Q8_0", mx.bfloat16)],
)
def test_the_dtype_to_write_in(
    dense: Checkpoint, tmp_path: Path, matrices: str, dtype: mx.Dtype
) -> None:
    """That of matrices that are not packed, else Qwen3's own."""
    source = open_source(save_gguf(tmp_path / "m.gguf", dense, matrices))
    assert {source.dtype(name) for name in dense.arrays} == {dtype}


def test_the_config_is_that_of_the_original(small: Checkpoint, tmp_path: Path) -> None:
    source = open_source(save_gguf(tmp_path / "m.gguf", small, "BF16"))
    folder = small.save(tmp_path / "original")
    assert source.config == open_source(folder).config


def test_a_tied_head(make_checkpoint: Callable[..., Checkpoint], tmp_path: Path) -> None:
    checkpoint = make_checkpoint({"tie_word_embeddings": True, "num_hidden_layers": 1})
    assert open_source(
        save_gguf(tmp_path / "m.gguf", checkpoint, "BF16")
    ).config.tie_word_embeddings


def scale(**values: str | float) -> Add:
    """Adds `qwen3.rope.scaling.*`: strings, whole numbers, and numbers in float32."""

    def add(writer: gguf.GGUFWriter) -> None:
        for name, value in values.items():
            key = f"qwen3.rope.scaling.{name}"
            if isinstance(value, str):
                writer.add_string(key, value)
            elif isinstance(value, int):
                writer.add_uint32(key, value)
            else:
                writer.add_float32(key, value)

    return add


@pytest.mark.parametrize(
    ("add", "expected"),
    [
        (nothing, None),
        (scale(type="none", factor=4.0), None),
        (
            scale(type="yarn", factor=4.0, original_context_length=256),
            {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 256},
        ),
        # llama.cpp takes the length of the context where no original one is named.
        (
            scale(type="yarn", factor=2.5),
            {"rope_type": "yarn", "factor": 2.5, "original_max_position_embeddings": 1024},
        ),
        (
            scale(
                type="yarn",
                factor=4.0,
                original_context_length=256,
                yarn_beta_fast=24.0,
                yarn_beta_slow=1.1,
                yarn_ext_factor=1.0,
                yarn_attn_factor=1.0,
            ),
            {
                "rope_type": "yarn",
                "factor": 4.0,
                "original_max_position_embeddings": 256,
                "beta_fast": 24.0,
                "beta_slow": 1.1,
            },
        ),
        (scale(type="linear", factor=8.0), {"rope_type": "linear", "factor": 8.0}),
        # As llama.cpp reads a factor beside no type.
        (scale(factor=8.0), {"rope_type": "linear", "factor": 8.0}),
    ],
)
def test_stretched_positions(
    dense: Checkpoint, tmp_path: Path, add: Add, expected: dict[str, object] | None
) -> None:
    """As Hugging Face's `rope_scaling` says the same, in the config of the converted folder."""
    path = save_gguf(tmp_path / "m.gguf", dense, "BF16", add=add)
    folder = convert(path, tmp_path / "out", "bf16", verify=False)
    assert json.loads((folder / "config.json").read_text("utf-8"))["rope_scaling"] == expected
    assert (open_source(path).config.rope_scaling is None) == (expected is None)


@pytest.mark.parametrize(
    ("add", "message"),
    [
        (scale(type="yarn", factor=4.0, yarn_attn_factor=1.5), "yarn_attn_factor = 1.5"),
        (scale(type="yarn", factor=4.0, yarn_ext_factor=0.5), "yarn_ext_factor = 0.5"),
        (scale(type="linear", factor=4.0, attn_factor=1.5), "attn_factor = 1.5"),
        (scale(type="longrope"), "rope_type = 'longrope'"),
    ],
)
def test_other_ways_to_stretch_positions_are_refused(
    dense: Checkpoint, tmp_path: Path, add: Add, message: str
) -> None:
    path = save_gguf(tmp_path / "m.gguf", dense, "BF16", add=add)
    with pytest.raises(UnsupportedModelError, match=rf"{message} is not supported"):
        open_source(path)


def test_a_file_converts_whole(small: Checkpoint, tmp_path: Path) -> None:
    """The same weights as from the original, and a tokenizer that reads and writes."""
    path = save_gguf(tmp_path / "m.gguf", small, "BF16")
    folder = convert(path, tmp_path / "out")
    original = convert(small.save(tmp_path / "original"), tmp_path / "expected")
    weights = [f / "model.safetensors" for f in (folder, original)]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    load_checkpoint(folder)
    tokenizer = load_tokenizer(folder, vocab_size=len(TOKENS))
    assert tokenizer.encode("hello") == [TOKENS.index(token) for token in ("hel", "l", "o")]
    assert tokenizer.decode([257, THINK]) == "hel<think>"
    assert tokenizer.controls == {"<|endoftext|>": END, "<|im_end|>": IM_END, "<think>": THINK}
    assert tokenizer.eos_ids == {END, IM_END}
    assert (folder / "chat_template.jinja").read_text("utf-8") == TEMPLATE
    special = json.loads((folder / "tokenizer.json").read_text("utf-8"))["added_tokens"]
    assert [token["special"] for token in special] == [True, True, False]


def test_another_architecture_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    path = save_gguf(tmp_path / "m.gguf", dense, "BF16")
    path.write_bytes(path.read_bytes().replace(b"qwen3", b"llama"))
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf.*architecture = 'llama'") as caught:
        convert(path, tmp_path / "out")
    assert caught.value.exit_code == 5
    assert not (tmp_path / "out").exists()


def test_one_part_of_several_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    path = save_gguf(
        tmp_path / "m.gguf", dense, "BF16", add=lambda writer: writer.add_uint32("split.count", 2)
    )
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf is one part of several"):
        open_source(path)


def test_another_tokenizer_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    path = save_gguf(tmp_path / "m.gguf", dense, "BF16", model="llama")
    with pytest.raises(UnsupportedModelError, match=r"tokenizer\.ggml\.model = 'llama'"):
        open_source(path).companions()


def test_a_missing_tensor_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    del dense.arrays["model.layers.1.mlp.up_proj.weight"]
    path = save_gguf(tmp_path / "m.gguf", dense, "BF16")
    with pytest.raises(ModelFileError, match=r"layers\.1\.mlp\.up_proj\.weight is missing"):
        open_source(path)


def test_another_kind_of_block_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    """GGML's type 39 is MXFP4."""
    path = save_gguf(tmp_path / "m.gguf", dense, "Q8_0")
    name = b"blk.0.attn_q.weight" + struct.pack("<IQQI", 2, 128, 128, 8)
    data = path.read_bytes()
    assert name in data
    path.write_bytes(data.replace(name, name[:-4] + struct.pack("<I", 39)))
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf.*attn_q.*type 39"):
        open_source(path)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_numbers_that_are_none_are_refused_by_the_networks_name(
    dense: Checkpoint, tmp_path: Path, bad: float
) -> None:
    name = "model.layers.1.mlp.up_proj.weight"
    dense.arrays[name][3, 2] = bad
    path = save_gguf(tmp_path / "m.gguf", dense, "F32")
    with pytest.raises(NonFiniteError, match=r"layers\.1\.mlp\.up_proj\.weight"):
        convert(path, tmp_path / "out")
    assert sorted(tmp_path.iterdir()) == [path]


def header(metadata: bytes = b"", *, tensors: int = 0, entries: int = 0) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", 3, tensors, entries) + metadata


KEY = struct.pack("<Q", 1) + b"k"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is cut off"),
        (b"PK\x03\x04" * 9, "is no GGUF file"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "of another byte order"),
        (header(entries=2**60), "is cut off"),
        (header(tensors=2**60), "is cut off"),
        (header(struct.pack("<Q", 2**62), entries=1), "is cut off"),
        (header(KEY + struct.pack("<IIQ", 9, 0, 2**60), entries=1), "is cut off"),
        (header(KEY + struct.pack("<IIQ", 9, 8, 2**60), entries=1), "is cut off"),
        (header(KEY + struct.pack("<IIQ", 9, 9, 1), entries=1), "array of the type 9"),
        (header(KEY + struct.pack("<I", 99), entries=1), "unknown type 99"),
        (header((KEY + struct.pack("<IB", 0, 1)) * 2, entries=2), "key 'k' twice"),
        (header(KEY + struct.pack("<I", 9), tensors=1), "9 dimensions"),
        (header(KEY + struct.pack("<IQIQ", 1, 0, 0, 0), tensors=1), "impossible shape"),
        (header(KEY + struct.pack("<IQIQ", 1, 33, 8, 0), tensors=1), "in blocks of 32"),
        (header(KEY + struct.pack("<IQIQ", 1, 32, 0, 0), tensors=1), "is cut off: the tensor 'k'"),
        (
            header((KEY + struct.pack("<IQIQ", 1, 1, 0, 0)) * 2, tensors=2) + bytes(64),
            r"overlaps another|twice",
        ),
    ],
)
def test_a_damaged_header_is_refused_at_once(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "damaged.gguf"
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match=rf"damaged\.gguf.*({message})"):
        read_gguf_header(path)
