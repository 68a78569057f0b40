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
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.text.tokenizer import load_tokenizer

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

# As llama.cpp's converter names them.
NAMES = {
    "model.embed_tokens": "token_embd",
    "model.norm": "output_norm",
    "lm_head": "output",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm",
    "mlp.gate": "ffn_gate_inp",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "mlp.switch_mlp.gate_proj": "ffn_gate_exps",
    "mlp.switch_mlp.up_proj": "ffn_up_exps",
    "mlp.switch_mlp.down_proj": "ffn_down_exps",
}
# GPT-2's alphabet, two merges, a control token, one of a user's, and one that fills up.
BYTES = [chr(c) for c in (*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100))]
ALPHABET = [*BYTES, *(chr(256 + i) for i in range(256 - len(BYTES)))]
TOKENS = [*ALPHABET, "he", "hel", "<|endoftext|>", "<|im_end|>", "<think>", "[PAD261]"]
TYPES = [1] * 258 + [3, 3, 4, 5]
END, IM_END, THINK = 258, 259, 260
TEMPLATE = "{{ messages }}"


def gguf_name(name: str) -> str:
    path = name.removesuffix(".weight")
    if path in NAMES:
        return f"{NAMES[path]}.weight"
    _, _, layer, part = path.split(".", 3)
    return f"blk.{layer}.{NAMES[part]}.weight"


def numpy(array: mx.array) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.array(array.astype(mx.float32))


def kind_of(name: str, matrices: str) -> gguf.GGMLQuantizationType:
    """Norms and routers in float32, as llama.cpp keeps them."""
    whole = "norm" in name or name.endswith("mlp.gate.weight")
    return gguf.GGMLQuantizationType["F32" if whole else matrices]


def write_gguf(path: Path, checkpoint: Checkpoint, matrices: str, **changes: Any) -> Path:
    """A file as llama.cpp's converter would write it, its matrices of one kind.

    Args:
        path: The file.
        checkpoint: What it says.
        matrices: Kind of all matrices.
        changes: Metadata to add or replace: dots are written as two underscores.
    """
    config: dict[str, Any] = checkpoint.config
    sparse = config["model_type"] == "qwen3_moe"
    writer = gguf.GGUFWriter(path, "qwen3moe" if sparse else "qwen3")
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    if sparse:
        writer.add_expert_count(config["num_experts"])
        writer.add_expert_used_count(config["num_experts_per_tok"])
        writer.add_expert_feed_forward_length(config["moe_intermediate_size"])
    writer.add_tokenizer_model(changes.pop("model", "gpt2"))
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(TOKENS)
    writer.add_token_types(TYPES)
    writer.add_token_merges(["h e", "he l"])
    writer.add_eos_token_id(IM_END)
    writer.add_pad_token_id(END)
    writer.add_chat_template(TEMPLATE)
    for key, value in changes.items():
        writer.add_uint32(key.replace("__", "."), value)
    for name, array in checkpoint.arrays.items():
        kind = kind_of(name, matrices)
        data = gguf.quants.quantize(numpy(array), kind)
        writer.add_tensor(gguf_name(name), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def small(make_checkpoint: Callable[..., Checkpoint]) -> Checkpoint:
    """One layer of four experts, with as many rows in the embedding as there are tokens."""
    return make_checkpoint({"num_hidden_layers": 1, "num_experts": 4, "vocab_size": len(TOKENS)})


@pytest.mark.parametrize("matrices", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"])
def test_every_tensor_has_its_place_and_numbers(
    small: Checkpoint, tmp_path: Path, matrices: str
) -> None:
    source = open_source(write_gguf(tmp_path / "m.gguf", small, matrices))
    for name, array in small.arrays.items():
        kind = kind_of(name, matrices)
        quantized = gguf.quants.quantize(numpy(array), kind)
        expected = gguf.quants.dequantize(quantized, kind).reshape(-1, array.shape[-1])
        (rows,) = source.rows(name)
        assert np.array_equal(numpy(source.read(rows)), expected)
        part = source.read(Rows(name, 0, rows.stop // 2 or 1))
        assert np.array_equal(numpy(part), expected[: rows.stop // 2 or 1])


@pytest.mark.parametrize(
    ("matrices", "dtype"),
    [("F32", mx.float32), ("F16", mx.bfloat16), ("BF16", mx.bfloat16), ("Q8_0", mx.bfloat16)],
)
def test_the_dtype_to_write_in(
    dense: Checkpoint, tmp_path: Path, matrices: str, dtype: mx.Dtype
) -> None:
    """That of unpacked matrices, else Qwen3's own; float16 is taken up in the test below."""
    source = open_source(write_gguf(tmp_path / "m.gguf", dense, matrices))
    expected = mx.float16 if matrices == "F16" else dtype
    assert {source.dtype(name) for name in dense.arrays} == {expected}


def test_the_config_is_that_of_the_original(small: Checkpoint, tmp_path: Path) -> None:
    source = open_source(write_gguf(tmp_path / "m.gguf", small, "BF16"))
    folder = small.save(tmp_path / "original")
    assert source.config == open_source(folder).config


def test_a_tied_head_and_scaling(
    make_checkpoint: Callable[..., Checkpoint], tmp_path: Path
) -> None:
    checkpoint = make_checkpoint({"tie_word_embeddings": True, "num_hidden_layers": 1})
    assert open_source(
        write_gguf(tmp_path / "m.gguf", checkpoint, "BF16")
    ).config.tie_word_embeddings


def test_a_file_converts_whole(small: Checkpoint, tmp_path: Path) -> None:
    """The same weights as from the original, and a tokenizer that reads and writes."""
    path = write_gguf(tmp_path / "m.gguf", small, "BF16")
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
    path = write_gguf(tmp_path / "m.gguf", dense, "BF16")
    path.write_bytes(path.read_bytes().replace(b"qwen3", b"llama"))
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf.*architecture = 'llama'") as caught:
        convert(path, tmp_path / "out")
    assert caught.value.exit_code == 5
    assert not (tmp_path / "out").exists()


def test_one_part_of_several_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", dense, "BF16", split__count=2)
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf is one part of several"):
        open_source(path)


def test_another_tokenizer_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    path = write_gguf(tmp_path / "m.gguf", dense, "BF16", model="llama")
    with pytest.raises(UnsupportedModelError, match=r"tokenizer\.ggml\.model = 'llama'"):
        open_source(path).companions()


def test_a_missing_tensor_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    del dense.arrays["model.layers.1.mlp.up_proj.weight"]
    path = write_gguf(tmp_path / "m.gguf", dense, "BF16")
    with pytest.raises(ModelFileError, match=r"layers\.1\.mlp\.up_proj\.weight is missing"):
        open_source(path)


def test_another_kind_of_block_is_refused(dense: Checkpoint, tmp_path: Path) -> None:
    """GGML's type 39 is MXFP4."""
    path = write_gguf(tmp_path / "m.gguf", dense, "Q8_0")
    name = b"blk.0.attn_q.weight" + struct.pack("<IQQI", 2, 128, 128, 8)
    data = path.read_bytes()
    assert name in data
    path.write_bytes(data.replace(name, name[:-4] + struct.pack("<I", 39)))
    with pytest.raises(UnsupportedModelError, match=r"m\.gguf.*attn_q.*type 39"):
        open_source(path)


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
