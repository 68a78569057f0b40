"""Sound files, as small as they can be with all that their kind may hold.

Knows formats. Does not know readers.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from hashlib import sha256
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.layout import expected_tensors
from qwen3_mlx.checkpoint.recorded import digests
from qwen3_mlx.evaluation.curve import Record
from qwen3_mlx.evaluation.saved import FORMAT, Curve
from qwen3_mlx.evaluation.setup import Setup
from qwen3_mlx.model import Qwen3Config
from qwen3_mlx.text.bytelevel_steps import WORDS
from tests.convert.gguf_files import ALPHABET
from tests.runtime.test_typed_text import sentencepiece_model

DENSE: dict[str, object] = {
    "model_type": "qwen3",
    "vocab_size": 262,
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 16,
    "intermediate_size": 32,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": True,
    "torch_dtype": "bfloat16",
    "hidden_act": "silu",
}
SPARSE = DENSE | {
    "model_type": "qwen3_moe",
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32768}
ROUNDED = {"group_size": 64, "bits": 4, "mode": "affine", "model.layers.0.mlp.gate": {"bits": 8}}

SETTINGS = b'model = "8b"\nbudget = 512\nthinking = true\ntemp = 0.6\nredact = ["a+", "b"]\n'
RECIPE = b'"*.mlp.gate" = { bits = 8 }\n"model.layers.-1.*" = false\n"*" = { mode = "affine" }\n'
TEXTS = (
    b'{"text": "Once"}\n'
    b'{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}\n'
)


def configs() -> list[bytes]:
    """Of networks, dense and sparse, rounded and stretched."""
    return written(
        DENSE | {"quantization": ROUNDED, "quantization_config": ROUNDED},
        SPARSE | {"rope_parameters": YARN | {"rope_theta": 1e6}},
        DENSE | {"rope_scaling": YARN, "layer_types": ["full_attention"]},
    )


def written(*values: Mapping[str, object]) -> list[bytes]:
    """Each as JSON."""
    return [json.dumps(value).encode() for value in values]


def arrays() -> dict[str, mx.array]:
    """The tensors of the dense network."""
    wanted = expected_tensors(Qwen3Config.from_hf(DENSE), {})
    return {name: mx.zeros(tensor.shape) for name, tensor in wanted.items()}


def safetensors() -> bytes:
    """Three tensors of different types."""
    header = {
        "__metadata__": {"format": "pt"},
        "a": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "b": {"dtype": "BF16", "shape": [], "data_offsets": [24, 26]},
        "c": {"dtype": "U8", "shape": [0], "data_offsets": [26, 26]},
    }
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + bytes(26)


def tokenizer() -> dict[str, object]:
    """The alphabet, two merges and three added tokens."""
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<think>"]
    added = [
        {"id": 258 + n, "content": name, "special": n < 3, "normalized": False}
        for n, name in enumerate(names)
    ]
    cut = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated"}
    to_bytes = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False}
    steps = [{**cut, "invert": False}, to_bytes | {"use_regex": False}]
    vocabulary = {name: n for n, name in enumerate([*ALPHABET, "he", "hel"])}
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": steps},
        "decoder": to_bytes | {"use_regex": False},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": [["h", "e"], "he l"]},
    }


def tokenizer_configs() -> list[bytes]:
    """With a template, and with several."""
    template = "{% for m in messages %}<|im_start|>{{ m.content }}{% endfor %}"
    named = [{"name": "tool_use", "template": "x"}, {"name": "default", "template": template}]
    tokens = {"eos_token": "<|im_end|>", "bos_token": None, "pad_token": {"content": "a"}}
    added = {"258": {"content": "<|endoftext|>", "special": True}}
    return written(
        tokens | {"chat_template": template, "added_tokens_decoder": added},
        tokens | {"chat_template": named},
    )


@cache
def sentencepiece() -> bytes:
    """A small model."""
    return sentencepiece_model()


def sentencepiece_config() -> bytes:
    """Of a model with a control token beyond its pieces."""
    added = {"100000": {"content": "<|im_end|>", "special": True}}
    return json.dumps({"eos_token": "<|im_end|>", "added_tokens_decoder": added}).encode()


def recorded(folder: Path) -> dict[str, object]:
    """What a manifest records of the files of the folder, which are made."""
    folder.mkdir()
    weights, config = safetensors(), configs()[0]
    (folder / "model.safetensors").write_bytes(weights)
    (folder / "config.json").write_bytes(config)
    shards = {"model.safetensors": sha256(weights).hexdigest()}
    return digests(folder, shards, {"config.json": config})


def ledger(job: str, digest: str) -> bytes:
    """That of a conversion of which one shard is done."""
    check = {"name": "a", "exact": True, "error": 0.01, "worst": 0.5, "group": [0, 1]}
    shard = {"sha256": digest, "checks": {"a": check, "b": check | {"name": "b"}}}
    state = {"job": job, "source": {"x": digest}, "shards": {"model.safetensors": shard}}
    return json.dumps(state).encode()


def listing() -> bytes:
    """What the Hub says of a repository."""
    config = {"rfilename": "config.json", "size": 500, "blobId": "a" * 40}
    lfs = {"sha256": "b" * 64, "size": 10**9, "pointerSize": 135}
    weights = {"rfilename": "model.safetensors", "size": 10**9, "blobId": "c" * 40, "lfs": lfs}
    info: dict[str, object] = {
        "id": "a/b",
        "sha": "0" * 40,
        "lastModified": "2025-04-28T00:00:00.000Z",
        "tags": ["safetensors"],
        "siblings": [config, weights, {"rfilename": "sub/x.json"}],
    }
    return json.dumps(info).encode()


def transcript() -> bytes:
    """A conversation with all that a message may hold."""
    call = {"type": "function", "function": {"name": "look", "arguments": {"at": "x"}}}
    messages: list[dict[str, object]] = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi", "thinking": True},
        {"role": "assistant", "content": "", "reasoning_content": "Hm", "tool_calls": [call]},
        {"role": "tool", "content": "7"},
        {"role": "assistant", "content": "7", "interrupted": True, "summary": "It looked."},
    ]
    return json.dumps({"version": 1, "model": "tiny", "budget": 64, "messages": messages}).encode()


def mcp() -> bytes:
    """Two servers, one of them disabled."""
    one = {"command": "run", "args": ["-x"], "env": {"A": "b"}, "cwd": "/"}
    return json.dumps({"mcpServers": {"one": one, "two": {"url": "x", "disabled": True}}}).encode()


def curve() -> Curve:
    """Two tasks within two budgets."""
    setup = Setup("tiny", "i", "demo", "d", 2, (0, 8), None, None, 100, {"top_k": 20}, {})
    records = tuple(
        Record(task, "sums", budget, True, "7", 3, 2, "natural", "stop", 0.5)
        for task in ("1", "2")
        for budget in setup.budgets
    )
    return Curve(setup, records)


def journal() -> bytes:
    """That of the curve, when its first task was done."""
    made = curve()
    head = {"format": FORMAT, "setup": asdict(made.setup)}
    done = [asdict(record) for record in made.records[:2]]
    return f"{json.dumps(head)}\n{json.dumps(done)}\n".encode()


def tasks() -> list[bytes]:
    """A line of each format."""
    lines: list[dict[str, object]] = [
        {"prompt": "a?", "answer": "^x+$", "compare": "regex", "id": 1, "category": "c"},
        {"prompt": "a?", "answer": "B", "compare": "choice", "choices": ["x", "y"]},
        {"question": "1+1?", "answer": "so #### 2"},
        {"question": "q", "choices": ["a", "b"], "answer": 1, "error_type": "ok", "subject": "s"},
        {"problem": "p", "answer": "\\frac{1}{2}", "unique_id": "u", "subject": "s"},
        {"input": "i", "outputs": ["o"]},
    ]
    return [json.dumps(line).encode() + b"\n" for line in lines]
