"""The steps before byte-level BPE that may be trusted with text: none loses a character.

Knows the JSON of the tokenizers library's normalizers and pre-tokenizers. Only steps of these
kinds reach the library, because others drop or replace text, and some stop the process with a
panic where their settings are wrong. Nor does a stranger's pattern reach it: there are some that
take for ever on a few words, or a panic.
"""

from __future__ import annotations

from pathlib import Path

from qwen3_mlx.errors import UnsupportedModelError

WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen2 and Qwen3 cut text into words."""

_NORMAL_FORMS = ("NFC", "NFD", "NFKC", "NFKD")


def check_normalizer(path: Path, step: object) -> None:
    """Refuse a normalizer that does more than compose and decompose characters."""
    for part in _flatten(step, "normalizers"):
        if not isinstance(part, dict) or part.get("type") not in _NORMAL_FORMS:
            raise _unsupported(path, "normalizer", part)


def check_pre_tokenizer(path: Path, step: object) -> None:
    """Refuse a pre-tokenizer that is more than cuts, and a change to bytes at the end."""
    *cuts, last = _flatten(step, "pretokenizers") or [None]
    if not _is_bytes(last):
        raise _unsupported(path, "pre-tokenizer", last)
    for part in cuts:
        if not _is_cut(part):
            raise _unsupported(path, "pre-tokenizer", part)


def _flatten(step: object, parts: str) -> list[object]:
    """The parts of a sequence, or the one step; absent is empty."""
    if step is None:
        return []
    if not isinstance(step, dict) or step.get("type") != "Sequence":
        return [step]
    inner = step.get(parts)
    return inner if isinstance(inner, list) else [step]


def _is_cut(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    if part.get("type") == "Digits":
        return True
    is_known = part.get("pattern") == {"Regex": WORDS}
    return part.get("type") == "Split" and is_known and part.get("behavior") == "Isolated"


def _is_bytes(part: object) -> bool:
    if not isinstance(part, dict):
        return False
    return part.get("type") == "ByteLevel" and part.get("add_prefix_space") is False


def _unsupported(path: Path, kind: str, part: object) -> UnsupportedModelError:
    return UnsupportedModelError(f"{path} has a {kind} that is not supported: {part!r:.80}")
