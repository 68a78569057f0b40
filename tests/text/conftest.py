"""Tokenizers for these tests: a small one trained here, and the real one where it is at hand."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tokenizers import AddedToken, Regex, decoders, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Library
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from qwen3_mlx.text.pieces import split
from qwen3_mlx.text.tokenizer import Tokenizer, load_tokenizer

Goldens: TypeAlias = dict[str, Any]

ROOT = Path(__file__).parents[2]
OWN_TEMPLATE = ROOT / "training" / "chat_template.jinja"

# How Qwen3 cuts text into words, and its added tokens: those in SPECIAL are marked special.
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = [
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<think>",
    "</think>",
]

CORPUS = [
    "The quick brown fox jumps over the lazy dog and thinks about what to do. " * 8,
    "user assistant system Considering the limited time by the user, I have to give it.\n\n" * 4,
    "你好世界，今天天气怎么样？ 안녕하세요 مرحبا بالعالم नमस्ते こんにちは" * 4,
    "👩‍👩‍👧‍👦 🤷🏽‍♂️ 🇩🇪 ❤️‍🔥 e\u0301 ö <|im_end|> <think> </think> " * 4,
]


@pytest.fixture(scope="session")
def library() -> Library:
    """The tokenizers library's own tokenizer, byte level with Qwen3's words and 9 added tokens."""
    tokenizer = Library(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = BpeTrainer(vocab_size=400, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_special_tokens([AddedToken(name, normalized=False) for name in SPECIAL])
    tokenizer.add_tokens([AddedToken(name, normalized=False) for name in MARKS])
    return tokenizer


@pytest.fixture(scope="session")
def model_files(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text files of a model directory. Not to be changed: see `directory`."""
    path = tmp_path_factory.mktemp("model")
    library.save(str(path / "tokenizer.json"))
    config = {"eos_token": "<|im_end|>", "bos_token": None, "pad_token": "<|endoftext|>"}
    (path / "tokenizer_config.json").write_text(json.dumps(config))
    shutil.copy(OWN_TEMPLATE, path)
    return path


@pytest.fixture(scope="session")
def tokenizer(model_files: Path) -> Tokenizer:
    return load_tokenizer(model_files)


@pytest.fixture
def directory(model_files: Path, tmp_path: Path) -> Path:
    """A copy of the model directory that a test may change."""
    return shutil.copytree(model_files, tmp_path / "model")


@pytest.fixture
def edit(directory: Path) -> Callable[[str, Callable[[Any], object]], None]:
    """Change one JSON file of `directory`."""

    def apply(name: str, change: Callable[[Any], object]) -> None:
        path = directory / name
        data = json.loads(path.read_text())
        change(data)
        path.write_text(json.dumps(data))

    return apply


@pytest.fixture(scope="session")
def ids_of(tokenizer: Tokenizer) -> Callable[[str], list[int]]:
    """The ids of text in which control tokens are meant as such."""
    return lambda text: tokenizer.encode_pieces(split(text, tokenizer.controls))


@pytest.fixture(scope="session")
def goldens() -> Goldens:
    """Conversations, and what transformers makes of them (`make_template_goldens.py`)."""
    path = ROOT / "tests" / "references" / "template_goldens.json"
    data: Goldens = json.loads(path.read_text(encoding="utf-8"))
    return data


@pytest.fixture(scope="session")
def real_tokenizer(real_files: Path) -> Tokenizer:
    return load_tokenizer(real_files)


@pytest.fixture(scope="session")
def real_source(real_files: Path) -> str:
    """The chat template that Qwen publishes for the hybrid models."""
    source: str = json.loads((real_files / "tokenizer_config.json").read_text())["chat_template"]
    return source
