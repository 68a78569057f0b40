"""Byte-level BPE from a `tokenizer.json`, with its added tokens taken out.

Knows the file format of the tokenizers library and the byte alphabet of GPT-2. The added
tokens are taken out because the library finds them in any text it encodes, and offers to
protect only those that are marked special (14 of Qwen3's 26).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, TypeGuard

from tokenizers import Tokenizer as Encoder
from tokenizers.models import BPE

from qwen3_mlx.errors import ModelFileError, UnsupportedModelError
from qwen3_mlx.text.backend import MAX_ID
from qwen3_mlx.text.bytelevel_steps import check_normalizer, check_pre_tokenizer
from qwen3_mlx.text.files import read_object

Merge: TypeAlias = tuple[str, str]


class ByteLevelBackend:
    """A byte-level BPE tokenizer. Implements `Backend`."""

    run_prefix = b""

    def __init__(self, encoder: Encoder, vocab: dict[str, int], controls: dict[str, int]) -> None:
        self.controls: Mapping[str, int] = controls
        self.vocab_size = 1 + max(max(vocab.values()), max(controls.values(), default=0))
        self.longest = max(map(len, vocab))  # a letter of the byte alphabet each
        self._encoder = encoder

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._encoder.encode(_encodable(text), add_special_tokens=False).ids
        return ids

    def token_bytes(self, token: int) -> bytes:
        spelling = self._encoder.id_to_token(token)
        return bytes(map(_BYTES.__getitem__, spelling)) if spelling else b""


def load_bytelevel(path: Path) -> ByteLevelBackend:
    """Read a `tokenizer.json`.

    Raises:
        ModelFileError: The file is damaged or contradicts itself.
        UnsupportedModelError: It is sound but no byte-level BPE.
    """
    data = read_object(path)
    model = _byte_level_model(path, data)
    controls = _added_tokens(path, data.get("added_tokens"))
    vocab = _vocabulary(path, model.get("vocab"), controls)
    merges = _merges(path, model.get("merges"), controls, vocab)
    ignore_merges = model.get("ignore_merges") is True
    encoder = _encoder(path, _steps(path, data), vocab, merges, ignore_merges)
    return ByteLevelBackend(encoder, vocab, controls)


def _byte_level_model(path: Path, data: dict[str, object]) -> dict[str, object]:
    model, decoder = data.get("model"), data.get("decoder")
    if not isinstance(model, dict) or not isinstance(decoder, dict):
        raise ModelFileError(f"{path} has no model or no decoder")
    if model.get("type", "BPE") != "BPE" or decoder.get("type") != "ByteLevel":
        raise UnsupportedModelError(
            f"{path} holds a {model.get('type')!s:.40} model with a"
            f" {decoder.get('type')!s:.40} decoder; only byte-level BPE is supported"
        )
    return model


def _added_tokens(path: Path, entries: object) -> dict[str, int]:
    """Every added token is a control token: only templates write it, never text."""
    if not isinstance(entries, list):
        raise ModelFileError(f"{path} has no list of added_tokens")
    controls: dict[str, int] = {}
    for entry in entries:
        name, token = (entry.get("content"), entry.get("id")) if isinstance(entry, dict) else (0, 0)
        if not isinstance(name, str) or not name or not _is_id(token) or name in controls:
            raise ModelFileError(f"{path} has a bad or repeated added token: {entry!r:.80}")
        controls[name] = token
    if len(set(controls.values())) < len(controls):
        raise ModelFileError(f"{path} gives one id to two added tokens")
    return controls


def _vocabulary(path: Path, vocab: object, controls: dict[str, int]) -> dict[str, int]:
    """The ordinary tokens, checked against the byte alphabet and the added tokens."""
    if not isinstance(vocab, dict) or not all(map(_is_id, vocab.values())):
        raise ModelFileError(f"{path} has no vocabulary of token ids")
    ordinary = {name: token for name, token in vocab.items() if name not in controls}
    ids = set(ordinary.values())
    if len(ids) < len(ordinary) or not ids.isdisjoint(controls.values()):
        raise ModelFileError(f"{path} gives one id to two tokens")
    if missing := [char for char in _BYTES if char not in ordinary]:
        raise ModelFileError(f"{path} lacks {len(missing)} of the 256 bytes; text would be lost")
    if strange := set("".join(ordinary)) - _BYTES.keys():
        raise ModelFileError(f"{path} has tokens that are not byte-level: {sorted(strange)!r:.80}")
    return ordinary


def _merges(
    path: Path, merges: object, controls: dict[str, int], vocab: dict[str, int]
) -> list[Merge]:
    """The merge list without those that would build a control token from text."""
    if not isinstance(merges, list):
        raise ModelFileError(f"{path} has no list of merges")
    pairs = [_pair(path, merge) for merge in merges]
    kept = [pair for pair in pairs if pair[0] + pair[1] not in controls]
    for left, right in kept:  # the library panics at some of these
        if not (left in vocab and right in vocab and left + right in vocab):
            raise ModelFileError(
                f"{path} merges {left!r:.80} and {right!r:.80},"
                " and one of them or the result is no token"
            )
    return kept


def _pair(path: Path, merge: object) -> Merge:
    # Files from before tokenizers 0.20 write a merge as one string.
    parts = merge.split(" ") if isinstance(merge, str) else merge
    if isinstance(parts, list) and len(parts) == 2:
        left, right = parts
        if isinstance(left, str) and isinstance(right, str):
            return left, right
    raise ModelFileError(f"{path} has a bad merge: {merge!r:.80}")


def _steps(path: Path, data: dict[str, object]) -> dict[str, object]:
    """What happens to text before BPE, in the library's own JSON."""
    normalizer, pre_tokenizer = data.get("normalizer"), data.get("pre_tokenizer")
    check_normalizer(path, normalizer)
    check_pre_tokenizer(path, pre_tokenizer)
    return {"normalizer": normalizer, "pre_tokenizer": pre_tokenizer}


def _encoder(
    path: Path,
    steps: dict[str, object],
    vocab: dict[str, int],
    merges: list[Merge],
    ignore_merges: bool,
) -> Encoder:
    """The library's encoder for plain text.

    The model is built apart from the rest, which saves writing the vocabulary out as JSON
    again. No truncation, padding or dropout: text must never be lost, nor its ids vary.
    """
    empty = {"type": "BPE", "vocab": {}, "merges": []}
    shell = {"version": "1.0", "added_tokens": [], "model": empty, **steps}
    try:
        encoder = Encoder.from_str(json.dumps(shell))
        encoder.model = BPE(vocab, merges, ignore_merges=ignore_merges)
    except Exception as error:
        raise ModelFileError(f"{path} is not a usable tokenizer: {error}") from error
    return encoder


def _is_id(value: object) -> TypeGuard[int]:
    return type(value) is int and 0 <= value <= MAX_ID


def _encodable(text: str) -> str:
    """Text that UTF-8 can carry: lone surrogates become U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _byte_alphabet() -> dict[str, int]:
    """GPT-2's alphabet: a printable character for each of the 256 bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    shifted = {chr(256 + i): byte for i, byte in enumerate(others)}
    return {chr(byte): byte for byte in printable} | shifted


_BYTES = _byte_alphabet()
