"""The header of a safetensors file: which tensors it holds, and where.

Knows the format and checks all of it, because MLX's own reader accepts overlapping tensors,
trailing bytes, duplicate names and dimensions cut to 32 bits. Does not read numbers.

Format: https://github.com/huggingface/safetensors (8 bytes of header length, JSON, data).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from qwen3_mlx.checkpoint.files import FETCH_AGAIN, open_regular
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError, shown
from qwen3_mlx.strict_json import parse_json

PREFIX_BYTES = 8
# 30B-A3B with its experts one by one, all in one file, takes 2.6 MB; larger models come in shards.
MAX_HEADER_BYTES = 4 * 2**20
MAX_RANK = 8
MAX_DIMENSION = 2**31 - 1

ITEM_BYTES = {
    "BOOL": 1,
    "U8": 1,
    "I8": 1,
    "F8_E4M3": 1,
    "F8_E5M2": 1,
    "U16": 2,
    "I16": 2,
    "F16": 2,
    "BF16": 2,
    "U32": 4,
    "I32": 4,
    "F32": 4,
    "U64": 8,
    "I64": 8,
    "F64": 8,
}


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """A tensor as it stands in a file.

    Attributes:
        dtype: The format's name for the type of its numbers, such as ``BF16``.
        start: Where its bytes begin, counted from the beginning of the file.
        end: Where they end.
    """

    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int
    file: Path

    @property
    def nbytes(self) -> int:
        """Its size in bytes."""
        return self.end - self.start


def read_header(path: Path) -> dict[str, TensorInfo]:
    """The tensors of a safetensors file, once the header agrees with itself and the file's size.

    Raises:
        UnsupportedModelError: A tensor has a dtype that is not supported.
        ModelFileError: The file is no regular file, cut off, too long, or its header is damaged,
            too large, or describes tensors that overlap, leave gaps or lie outside the file.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        length = _header_length(path, file.read(PREFIX_BYTES), size)
        return parse_header(path, file.read(length), size)


def _header_length(path: Path, prefix: bytes, size: int) -> int:
    length = int.from_bytes(prefix, "little")
    if len(prefix) < PREFIX_BYTES or length > size - PREFIX_BYTES:
        _refuse(path, f"is cut off: {size} bytes do not hold the header")
    if length > MAX_HEADER_BYTES:
        _refuse(path, f"has a header of {length} bytes, more than {MAX_HEADER_BYTES}")
    return length


def parse_header(path: Path, header: bytes, size: int) -> dict[str, TensorInfo]:
    """As :func:`read_header`, for the header's JSON out of a file of ``size`` bytes."""
    entries = parse_json(header, f"the header of {path}")
    _check_metadata(path, entries.pop("__metadata__", None))
    base = PREFIX_BYTES + len(header)
    tensors = {name: _tensor(path, name, entry, base) for name, entry in entries.items()}
    _check_cover(path, tensors.values(), base, size)
    return tensors


def _check_metadata(path: Path, metadata: object) -> None:
    if metadata is None:  # mlx.core.save_safetensors without metadata writes null
        return
    if not isinstance(metadata, dict) or not all(isinstance(v, str) for v in metadata.values()):
        _refuse(path, "has a header whose __metadata__ is no object of strings")


def _tensor(path: Path, name: str, entry: object, base: int) -> TensorInfo:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        _refuse(path, f"describes the tensor {shown(name)} by other than dtype, shape, offsets")
    dtype = _dtype(path, name, entry)
    shape = _whole_numbers(path, name, entry["shape"])
    if len(shape) > MAX_RANK or any(size > MAX_DIMENSION for size in shape):
        _refuse(path, f"gives the tensor {shown(name)} the impossible shape {shown(shape)}")
    start, end = _offsets(path, name, entry["data_offsets"])
    if end - start != math.prod(shape) * ITEM_BYTES[dtype]:
        _refuse(
            path,
            f"gives the tensor {shown(name)} {end - start} bytes, "
            f"which is not {dtype} of shape {list(shape)}",
        )
    return TensorInfo(name, dtype, shape, base + start, base + end, path)


def _dtype(path: Path, name: str, entry: Mapping[str, object]) -> str:
    dtype = entry["dtype"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise UnsupportedModelError(
            f"{path}: the tensor {shown(name)} has the dtype {shown(dtype)}, "
            "which is not supported",
            hint=f"Supported: {', '.join(ITEM_BYTES)}.",
        )
    return dtype


def _offsets(path: Path, name: str, value: object) -> tuple[int, int]:
    offsets = _whole_numbers(path, name, value)
    if len(offsets) != 2 or offsets[0] > offsets[1]:
        _refuse(path, f"gives the tensor {shown(name)} the impossible offsets {shown(value)}")
    return offsets[0], offsets[1]


def _whole_numbers(path: Path, name: str, value: object) -> tuple[int, ...]:
    if not isinstance(value, list) or not all(type(n) is int and n >= 0 for n in value):
        _refuse(path, f"describes the tensor {shown(name)} by {shown(value)}, no whole numbers")
    return tuple(value)


def _check_cover(path: Path, tensors: Iterable[TensorInfo], base: int, size: int) -> None:
    """The tensors must lie one after another from the header to the end of the file."""
    end = base
    for tensor in sorted(tensors, key=lambda tensor: (tensor.start, tensor.end)):
        if tensor.start != end:
            fault = "overlaps another" if tensor.start < end else "comes after a gap"
            _refuse(path, f"is inconsistent: the tensor {shown(tensor.name)} {fault}")
        end = tensor.end
    if end > size:
        _refuse(path, f"is cut off: it has {size} bytes, its header describes {end}")
    if end < size:
        _refuse(path, f"has {size - end} bytes that belong to no tensor")


def _refuse(path: Path, fault: str) -> NoReturn:
    raise ModelFileError(f"{path} {fault}", hint=FETCH_AGAIN)
