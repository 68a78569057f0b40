"""Qwen3's own tokenizer through a GGUF file, where it is at hand."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from qwen3_mlx.convert import convert
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer
from tests.convert.gguf_files import (
    CONTROL,
    NORMAL,
    UNUSED,
    USER_DEFINED,
    Vocabulary,
    write_gguf,
)

if TYPE_CHECKING:
    from tests.convert.conftest import Checkpoint

# Rows of a published embedding, from 0.6B to 235B.
ROWS = 151936
LOOKS_SPECIAL = re.compile(r"<\|.*\|>")
TEXTS = [
    "",
    "The capital of France is Paris, isn't it?",
    "👩‍👩‍👧‍👦 🤷🏽‍♂️ 🇩🇪 ❤️‍🔥 and a lone \u200d joiner",
    "春眠不觉晓，处处闻啼鸟。 こんにちは世界 안녕하세요",
    "مرحبا بالعالم नमस्ते e\u0301 \u00e9 ﬁ ½ ²",
    "3.14159 1234567890 1,000,000 ٣٤٥ 2²",
    "def f(x):\n\treturn {k: v**2 for k, v in x.items()}  # ok\r\n\r\n\n    pass\n",
    "<|im_start|>user\nHi<|im_end|> <think>\n\n</think> <tool_call>{}</tool_call> <|endoftext|>",
    "<|im_start |> <think <|fim_prefix|><|fim_prefix|>  [PAD151700]",
    "\x00\x07 \ufeff \ufffd  \t \u00a0 \u3000",
]


def vocabulary_of(folder: Path) -> Vocabulary:
    """As llama.cpp's converter lists it: what looks like a control token is one."""
    file: dict[str, Any] = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    tokens, types = [f"[PAD{n}]" for n in range(ROWS)], [UNUSED] * ROWS
    for token, number in file["model"]["vocab"].items():
        tokens[number], types[number] = token, NORMAL
    for added in file["added_tokens"]:
        number, token = added["id"], added["content"]
        special = added["special"] or LOOKS_SPECIAL.fullmatch(token)
        tokens[number], types[number] = token, CONTROL if special else USER_DEFINED
    merges = [" ".join(pair) for pair in file["model"]["merges"]]
    end, padding = (tokens.index(token) for token in ("<|im_end|>", "<|endoftext|>"))
    return Vocabulary(tokens, types, merges, end, padding)


@pytest.fixture(scope="module")
def original(real_files: Path) -> Tokenizer:
    return load_tokenizer(real_files)


def test_qwens_own_tokenizer_comes_through_whole(
    make_checkpoint: Callable[..., Checkpoint],
    tmp_path: Path,
    real_files: Path,
    original: Tokenizer,
) -> None:
    """The same ids both ways, the same control tokens, the same ends of a reply."""
    changes = {"num_hidden_layers": 1, "hidden_size": 32, "vocab_size": ROWS}
    small = make_checkpoint(changes | {"tie_word_embeddings": True, "num_experts": 2})
    path = write_gguf(
        tmp_path / "m.gguf",
        small.config,
        small.arrays,
        "BF16",
        vocabulary=vocabulary_of(real_files),
    )
    folder = convert(path, tmp_path / "out", "bf16", verify=False)
    tokenizer = load_tokenizer(folder, vocab_size=ROWS)
    for text in TEXTS:
        ids = original.encode(text)
        assert tokenizer.encode(text) == ids
        assert tokenizer.decode(ids) == original.decode(ids)
    assert tokenizer.controls == original.controls
    assert tokenizer.control == original.control
    assert tokenizer.eos_ids == original.eos_ids
    assert tokenizer.vocab_size == original.vocab_size
