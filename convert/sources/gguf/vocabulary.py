"""The tokenizer and template in a GGUF file, as the files that a model folder has.

Knows llama.cpp's metadata keys for byte-level BPE with Qwen's cuts. Does not know tensors.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.model.fields import Fields
from qwen3_mlx.text.bytelevel_steps import WORDS

PREFIX = "tokenizer.ggml"
# llama.cpp's types of tokens; one that is unused only fills the embedding up.
NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5
KNOWN_TYPES = (NORMAL, CONTROL, USER_DEFINED, UNUSED)
END_OF_TEXT = "<|endoftext|>"


def vocabulary_files(path: Path, metadata: Mapping[str, object]) -> dict[str, bytes]:
    """`tokenizer.json` and what belongs to it, by file name.

    Raises:
        UnsupportedModelError: Another kind of tokenizer.
        ModelFileError: Something is missing or of another type.
    """
    fields = Fields(metadata, str(path))
    _check_kind(fields)
    tokens, types = (
        _strings(path, fields, f"{PREFIX}.tokens"),
        fields.sequence(f"{PREFIX}.token_type"),
    )
    if len(types) != len(tokens) or not tokens:
        raise ModelFileError(f"{path} has {len(tokens)} tokens and {len(types)} types of tokens")
    if strange := sorted({repr(kind) for kind in types if kind not in KNOWN_TYPES}):
        raise UnsupportedModelError(f"{path} has tokens of the unknown type {strange[0]}")
    files: dict[str, object] = {
        "tokenizer.json": _tokenizer(tokens, types, _strings(path, fields, f"{PREFIX}.merges")),
        "tokenizer_config.json": _tokenizer_config(fields, tokens),
        "generation_config.json": _generation_config(fields, tokens),
    }
    written = {name: _json(value) for name, value in files.items()}
    template = fields.text("tokenizer.chat_template", default="")
    return written | ({"chat_template.jinja": template.encode()} if template else {})


def _check_kind(fields: Fields) -> None:
    for name, wanted in ((f"{PREFIX}.model", "gpt2"), (f"{PREFIX}.pre", "qwen2")):
        if fields.text(name) != wanted:
            raise UnsupportedModelError(
                f"{fields.describe(name)} is not supported: only {wanted}, which Qwen3 has"
            )


def _tokenizer(tokens: list[str], types: list[object], merges: list[str]) -> dict[str, object]:
    vocab = {token: n for n, token in enumerate(tokens) if types[n] == NORMAL}
    added = [
        _added(n, token, special=types[n] == CONTROL)
        for n, token in enumerate(tokens)
        if types[n] in (CONTROL, USER_DEFINED)
    ]
    split = {"type": "Split", "pattern": {"Regex": WORDS}, "behavior": "Isolated", "invert": False}
    to_bytes = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    return {
        "version": "1.0",
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, to_bytes]},
        "post_processor": to_bytes,
        "decoder": to_bytes,
        "model": {"type": "BPE", "vocab": vocab, "merges": [merge.split(" ") for merge in merges]},
    }


def _added(number: int, token: str, *, special: bool) -> dict[str, object]:
    switches = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": number, "content": token, "special": special, **switches}


def _tokenizer_config(fields: Fields, tokens: list[str]) -> dict[str, object]:
    eos, pad = _id(fields, "eos", tokens), _id(fields, "padding", tokens)
    return {
        "tokenizer_class": "Qwen2Tokenizer",
        "add_prefix_space": False,
        "bos_token": None,
        "eos_token": None if eos is None else tokens[eos],
        "pad_token": None if pad is None else tokens[pad],
        "unk_token": None,
    }


def _generation_config(fields: Fields, tokens: list[str]) -> dict[str, object]:
    """The ids that end a reply: a file names one, and llama.cpp knows the other by its text."""
    eos, pad = _id(fields, "eos", tokens), _id(fields, "padding", tokens)
    end = tokens.index(END_OF_TEXT) if END_OF_TEXT in tokens else None
    ends = list(dict.fromkeys(n for n in (eos, end) if n is not None))
    return {"eos_token_id": ends} | ({} if pad is None else {"pad_token_id": pad})


def _id(fields: Fields, name: str, tokens: list[str]) -> int | None:
    key = f"{PREFIX}.{name}_token_id"
    return fields.integer(key, 0, len(tokens) - 1) if key in fields else None


def _strings(path: Path, fields: Fields, name: str) -> list[str]:
    strings = [value for value in fields.sequence(name) if isinstance(value, str)]
    if not strings:
        raise ModelFileError(f"{path}: {name} is missing or holds no strings")
    return strings


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
