"""The tokenizer of a model directory: text to ids, ids to text.

Knows which ids are control tokens and which end a reply. Does not know chat formats or
arrays. Plain text never becomes a control token, whatever it spells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from qwen3_mlx.errors import ModelFileError, UsageError, shown
from qwen3_mlx.text import backend as names
from qwen3_mlx.text.backend import Backend
from qwen3_mlx.text.files import read_object_if_there
from qwen3_mlx.text.pieces import Control, Piece, Text, merge
from qwen3_mlx.text.stream import StreamDecoder

MAX_TEXT_BYTES = 8 * 10**6
"""Of a text that is encoded at once: several times what fits into the longest context. It takes
half a minute and 2 GB; at ten million spaces the tokenizers library panics."""

NORMAL_FORM = 4
"""A normal form of Unicode makes a text at most so many times shorter, in bytes of UTF-8."""


@dataclass(frozen=True, slots=True)
class ControlTokens:
    """The ids that give a reply its structure; None where the tokenizer has no such token."""

    im_start: int | None
    im_end: int | None
    think: int | None
    end_think: int | None
    tool_call: int | None
    end_tool_call: int | None


class Tokenizer:
    """Text to ids and back, over either kind of tokenizer file.

    Attributes:
        control: The ids that structure a reply.
        controls: Name to id of every control token.
        eos_ids: The ids that end a reply.
    """

    def __init__(self, backend: Backend, eos_ids: Iterable[int]) -> None:
        self.controls: Mapping[str, int] = backend.controls
        self.control = _control_tokens(backend.controls)
        self.eos_ids = frozenset(eos_ids)
        self._backend = backend
        self._control_bytes = {i: name.encode() for name, i in backend.controls.items()}

    @property
    def vocab_size(self) -> int:
        """The largest id plus one; the model's own vocabulary may be padded beyond it."""
        return self._backend.vocab_size

    def encode(self, text: str) -> list[int]:
        """The ids of plain text; `<|im_end|>` and its like are spelled out.

        Raises:
            UsageError: It is longer than `MAX_TEXT_BYTES`.
        """
        _check_length(text)
        return self._backend.encode(text)

    def encode_pieces(self, pieces: Sequence[Piece]) -> list[int]:
        """The ids of a prompt: all text between two control tokens is encoded as one string.

        A control token that this tokenizer does not have is written as text.

        Raises:
            UsageError: A text is longer than `MAX_TEXT_BYTES`.
        """
        ids: list[int] = []
        for piece in merge(map(self._known, pieces)):
            if isinstance(piece, Control):
                ids.append(self.controls[piece.text])
            else:
                ids.extend(self.encode(piece.text))
        return ids

    def fewest_ids(self, pieces: Sequence[Piece]) -> int:
        """A number of ids that these pieces become at least, told without encoding them."""
        if self._backend.longest is None:
            return 0
        known = [*map(self._known, pieces)]
        nbytes = sum(_normal_nbytes(piece.text) for piece in known if isinstance(piece, Text))
        return nbytes // self._backend.longest + sum(isinstance(p, Control) for p in known)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids, control tokens by name; bytes that are no UTF-8 become U+FFFD.

        Raises:
            UsageError: An id is outside the vocabulary.
        """
        stream = self.stream_decoder()
        return "".join(map(stream.push, ids)) + stream.flush()

    def is_control(self, token: int) -> bool:
        """Whether the id is a control token."""
        return token in self._control_bytes

    def token_bytes(self, token: int) -> bytes:
        """The bytes that one id stands for; none for an unused id.

        Raises:
            UsageError: The id is outside the vocabulary.
        """
        if not 0 <= token < self.vocab_size:
            raise UsageError(
                f"token id {shown(token)} is outside the vocabulary of {self.vocab_size}"
            )
        control = self._control_bytes.get(token)
        return self._backend.token_bytes(token) if control is None else control

    def same_vocabulary(self, other: Tokenizer) -> bool:
        """Whether every id means the same in both."""
        return (
            self.vocab_size == other.vocab_size
            and self.controls == other.controls
            and all(self.token_bytes(i) == other.token_bytes(i) for i in range(self.vocab_size))
        )

    def stream_decoder(self) -> StreamDecoder:
        """A decoder for ids that come one at a time."""
        return StreamDecoder(self.token_bytes, self.is_control, self._backend.run_prefix)

    def _known(self, piece: Piece) -> Piece:
        return piece if piece.text in self.controls else Text(piece.text)


def load_tokenizer(directory: Path, *, vocab_size: int | None = None) -> Tokenizer:
    """Load the tokenizer of a model directory.

    Args:
        directory: Holds `tokenizer.json`, or else sentencepiece's `tokenizer.model`.
        vocab_size: Rows of the model's embedding; every id must be below it.

    Raises:
        ModelFileError: No tokenizer there, or a damaged one, or one that does not fit the model.
        UnsupportedModelError: A kind of tokenizer that this package does not read.
    """
    path, backend = _load_backend(directory)
    if vocab_size is not None and backend.vocab_size > vocab_size:
        raise ModelFileError(
            f"{path} has ids up to {backend.vocab_size - 1}, the model only {vocab_size} rows",
            hint="The tokenizer belongs to another model; fetch the whole model again.",
        )
    return Tokenizer(backend, _eos_ids(directory, backend))


def _load_backend(directory: Path) -> tuple[Path, Backend]:
    path = directory / "tokenizer.json"
    if path.exists():
        from qwen3_mlx.text.bytelevel import load_bytelevel

        return path, load_bytelevel(path)
    path = directory / "tokenizer.model"
    if path.exists():
        from qwen3_mlx.text.sentencepiece_backend import load_sentencepiece

        return path, load_sentencepiece(path)
    raise ModelFileError(
        f"{directory} has no tokenizer: neither tokenizer.json nor tokenizer.model",
        hint="Fetch the whole model again.",
    )


def _eos_ids(directory: Path, backend: Backend) -> set[int]:
    """The end ids that `generation_config.json` lists, else those the tokenizer names.

    `<|im_end|>` ends a reply in any case: it is what the chat format ends a message with.
    """
    listed = _listed_eos_ids(directory / "generation_config.json", backend.vocab_size)
    eos = read_object_if_there(directory / "tokenizer_config.json").get("eos_token")
    fallback = () if listed else (names.token_text(eos), names.END_OF_TEXT)
    found = {backend.controls.get(name or "") for name in (names.IM_END, *fallback)}
    return listed | {token for token in found if token is not None}


def _listed_eos_ids(path: Path, vocab_size: int) -> set[int]:
    value = read_object_if_there(path).get("eos_token_id")
    if value is None:
        return set()
    ids = value if isinstance(value, list) else [value]
    for token in ids:
        if type(token) is not int or not 0 <= token < vocab_size:
            raise ModelFileError(f"{path}: eos_token_id {token!r:.40} is no id of the tokenizer")
    return set(ids)


def _check_length(text: str) -> None:
    if _nbytes(text) > MAX_TEXT_BYTES:
        raise UsageError(
            f"a text of {_nbytes(text):,} bytes is too long for a tokenizer",
            hint=f"Give it in parts of at most {MAX_TEXT_BYTES // 10**6} MB.",
        )


def _nbytes(text: str) -> int:
    """Of UTF-8; half of a surrogate pair takes as many as the character that replaces it."""
    return len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))


def _normal_nbytes(text: str) -> int:
    """So many, or more, once the text is in its normal form."""
    return len(text) if text.isascii() else _nbytes(text) // NORMAL_FORM


def _control_tokens(controls: Mapping[str, int]) -> ControlTokens:
    return ControlTokens(
        im_start=controls.get(names.IM_START),
        im_end=controls.get(names.IM_END),
        think=controls.get(names.THINK),
        end_think=controls.get(names.END_THINK),
        tool_call=controls.get(names.TOOL_CALL),
        end_tool_call=controls.get(names.END_TOOL_CALL),
    )
