"""Change the types of pieces in a sentencepiece model file.

Knows just enough protobuf to find each piece's text and type: the file is a sequence of
fields, and every field number 1 is a piece with text (1), score (2) and type (3). Does not
know what the pieces are for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from qwen3_mlx.errors import ModelFileError

_VARINT, _LENGTH_DELIMITED = 0, 2
_FIXED = {1: 8, 5: 4}
_PIECE, _TEXT, _TYPE = 1, 1, 3
_MAX_SHIFT = 63
_MAX_TAG = 2**32 - 1  # protobuf would drop the bits above
_CONTROL = bytes([_TYPE << 3 | _VARINT, 3])


def with_control_pieces(path: Path, model: bytes, names: Collection[str]) -> bytes:
    """The model with the named pieces made control pieces.

    Raises:
        ModelFileError: The bytes are no protobuf message, or a piece is no UTF-8.
    """
    try:
        return b"".join(
            _field(_PIECE, _as_control(body)) if number == _PIECE and _text(body) in names else raw
            for number, body, raw in _fields(model)
        )
    except IndexError as error:
        raise ModelFileError(f"{path} is not a sentencepiece model: it is cut off") from error
    except ValueError as error:
        raise ModelFileError(f"{path} is not a sentencepiece model: {error}") from error


def _text(piece: bytes) -> str:
    """The text of a piece: the last one, as protobuf has it, where there are several."""
    texts = [body for number, body, raw in _fields(piece) if number == _TEXT and _is_bytes(raw)]
    return texts[-1].decode("utf-8") if texts else ""


def _is_bytes(raw: bytes) -> bool:
    """Protobuf passes over a field whose kind is not the one it expects."""
    return raw[0] & 7 == _LENGTH_DELIMITED


def _as_control(piece: bytes) -> bytes:
    return b"".join(raw for number, _, raw in _fields(piece) if number != _TYPE) + _CONTROL


def _field(number: int, body: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(body)) + body


def _fields(message: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Number, body and whole bytes of each field; numbers themselves have no body."""
    at = 0
    while at < len(message):
        tag, body = _read_varint(message, at)
        if tag > _MAX_TAG:
            raise ValueError(f"the number of a field at byte {at} is too large")
        kind = tag & 7
        if kind == _LENGTH_DELIMITED:
            length, body = _read_varint(message, body)
            end = body + length
        elif kind == _VARINT:
            _, end = _read_varint(message, body)
        elif kind in _FIXED:
            end = body + _FIXED[kind]
        else:
            raise ValueError(f"a field of kind {kind} at byte {at}")
        if end > len(message):
            raise IndexError
        yield tag >> 3, message[body:end], message[at:end]
        at = end


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while data[at] & 0x80:
        if shift > _MAX_SHIFT:
            raise ValueError(f"an endless number at byte {at}")
        value |= (data[at] & 0x7F) << shift
        shift, at = shift + 7, at + 1
    return value | data[at] << shift, at + 1


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
