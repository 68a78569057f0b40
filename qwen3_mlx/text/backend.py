"""What a tokenizer must be able to do for the rest of the package.

Knows the interface that the byte-level and the sentencepiece tokenizer share, and the names
of Qwen3's control tokens. Reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

TOOL_CALL, END_TOOL_CALL = "<tool_call>", "</tool_call>"
TOOL_RESPONSE, END_TOOL_RESPONSE = "<tool_response>", "</tool_response>"
THINK, END_THINK = "<think>", "</think>"
IM_START, IM_END = "<|im_start|>", "<|im_end|>"
END_OF_TEXT = "<|endoftext|>"

MAX_ID = 2**31 - 1


class Backend(Protocol):
    """Plain text to ids and ids to bytes; control tokens stand apart."""

    @property
    def vocab_size(self) -> int:
        """The largest id plus one."""

    @property
    def controls(self) -> Mapping[str, int]:
        """Name to id of every control token."""

    @property
    def longest(self) -> int | None:
        """Bytes that an ordinary id can stand for; None where `encode` may drop some of a text."""

    @property
    def run_prefix(self) -> bytes:
        """Bytes that `encode` puts before a run of text and a reader must not see."""

    def encode(self, text: str) -> list[int]:
        """Ids of plain text: never one of `controls`, whatever the text spells."""

    def token_bytes(self, token: int) -> bytes:
        """The bytes of an ordinary token; nothing for an id that names none."""


def token_text(entry: object) -> str | None:
    """A token's text in `tokenizer_config.json`, which writes it bare or in an object."""
    text = entry.get("content") if isinstance(entry, dict) else entry
    return text if isinstance(text, str) else None
