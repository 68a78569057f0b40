"""A sentencepiece `tokenizer.model` behind the same interface.

Knows sentencepiece's pieces. A piece that is a control token is given sentencepiece's own
type for such, because it finds pieces of any other type in the text that it encodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sentencepiece import SentencePieceProcessor

from qwen3_mlx.errors import ModelFileError
from qwen3_mlx.text import backend as names
from qwen3_mlx.text.files import read_bytes, read_object_if_there
from qwen3_mlx.text.sentencepiece_model import with_control_pieces

_SPACE = "▁"
_MAX_DIGITS = 9
_QWEN3_CONTROLS = frozenset(
    {
        *(names.IM_START, names.IM_END, names.END_OF_TEXT, names.THINK, names.END_THINK),
        *(names.TOOL_CALL, names.END_TOOL_CALL, names.TOOL_RESPONSE, names.END_TOOL_RESPONSE),
    }
)


class SentencePieceBackend:
    """A sentencepiece tokenizer. Implements `Backend`.

    Args:
        processor: The loaded model.
        added: Control tokens with ids of their own, beyond the model's pieces.
    """

    longest = None  # a model's own rules may drop spaces

    def __init__(self, processor: SentencePieceProcessor, added: Mapping[str, int]) -> None:
        self._processor = processor
        self._pieces: int = processor.get_piece_size()
        own = {processor.id_to_piece(i): i for i in range(self._pieces) if processor.is_control(i)}
        self.controls: Mapping[str, int] = {**own, **added}
        self.vocab_size = 1 + max(self._pieces - 1, *added.values(), 0)
        self.run_prefix = b" " if self._adds_space() else b""

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self._processor.encode(text)
        return ids

    def token_bytes(self, token: int) -> bytes:
        if token >= self._pieces:
            return b""
        piece: str = self._processor.id_to_piece(token)
        if self._processor.is_byte(token):
            return bytes([int(piece.strip("<>"), 16)])
        return piece.replace(_SPACE, " ").encode()

    def _adds_space(self) -> bool:
        """Whether the model puts a space before every text that it encodes."""
        first: list[str] = self._processor.encode("a", out_type=str)
        return bool(first) and first[0].startswith(_SPACE)


def load_sentencepiece(path: Path) -> SentencePieceBackend:
    """Read a `tokenizer.model`, and the added tokens that `tokenizer_config.json` lists.

    Raises:
        ModelFileError: The file is damaged or contradicts the config.
    """
    listed = _added_tokens(path.with_name("tokenizer_config.json"))
    model = with_control_pieces(path, read_bytes(path), _QWEN3_CONTROLS | listed.keys())
    processor = SentencePieceProcessor()
    try:
        processor.load_from_serialized_proto(model)
    except (RuntimeError, OSError, ValueError) as error:
        raise ModelFileError(f"{path} is not a sentencepiece model: {error}") from error
    return SentencePieceBackend(processor, _beyond(path, processor, listed))


def _beyond(
    path: Path, processor: SentencePieceProcessor, listed: Mapping[str, int]
) -> dict[str, int]:
    """The listed tokens that are no pieces of the model."""
    pieces = processor.get_piece_size()
    for name, token in listed.items():
        if token < pieces and processor.id_to_piece(token) != name:
            raise ModelFileError(f"{path}: its config calls piece {token} {name!r:.40}, it is not")
    return {name: token for name, token in listed.items() if token >= pieces}


def _added_tokens(path: Path) -> dict[str, int]:
    entries = read_object_if_there(path).get("added_tokens_decoder") or {}
    if not isinstance(entries, dict):
        raise ModelFileError(f"{path}: added_tokens_decoder is no object")
    tokens: dict[str, int] = {}
    for key, entry in entries.items():
        name = names.token_text(entry)
        if not name or not key.isdecimal() or len(key) > _MAX_DIGITS:
            raise ModelFileError(f"{path} has a bad added token: {key!r:.20}")
        tokens[name] = int(key)
    return tokens
