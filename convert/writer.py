"""A safetensors file written a piece at a time, always the same bytes for the same numbers.

Knows the safetensors format. Does not know where the numbers come from. The header is written
first, since every shape is known before any number is.

Format: https://github.com/huggingface/safetensors (8 bytes of header length, JSON, data).
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import mlx.core as mx

from qwen3_mlx.errors import ConversionError

ALIGNMENT = 8
CODES = {
    mx.bfloat16: "BF16",
    mx.float16: "F16",
    mx.float32: "F32",
    mx.uint32: "U32",
    mx.uint8: "U8",
}


@dataclass(frozen=True)
class StoredTensor:
    """A tensor as it stands in a file."""

    name: str
    dtype: mx.Dtype
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.size


class ShardWriter:
    """Writes one new file. Rows of several tensors may come interleaved, each tensor's in order."""

    def __init__(self, path: Path, tensors: Sequence[StoredTensor]) -> None:
        header, self._cursors = _header(tensors)
        self._ends = {t.name: self._cursors[t.name] + t.nbytes for t in tensors}
        self._path = path
        self._file = path.open("xb")
        self._file.write(header)
        self._file.truncate(max(self._ends.values(), default=len(header)))

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        with self._file:
            if error is None:
                self.flush()
                os.fsync(self._file.fileno())
        if error is None and self._cursors != self._ends:
            raise ConversionError(f"{self._path}: the rows written do not fill the tensors")

    def append(self, name: str, rows: mx.array) -> None:
        """Write the next rows of a tensor, which must have the tensor's dtype."""
        # MLX gives its buffer to whoever asks; its type stubs leave that out.
        data = memoryview(rows.view(mx.uint8))  # type: ignore[arg-type]
        self._file.seek(self._cursors[name])
        self._file.write(data)
        self._cursors[name] += data.nbytes

    def flush(self) -> None:
        """Let others read what was written so far: the file has its full length all along."""
        self._file.flush()


def _header(tensors: Sequence[StoredTensor]) -> tuple[bytes, dict[str, int]]:
    """The bytes before the data, and where in the file each tensor begins.

    Wider dtypes come first, so that every tensor is aligned to its own.
    """
    entries: dict[str, object] = {"__metadata__": {"format": "mlx"}}
    starts = {}
    end = 0
    for tensor in sorted(tensors, key=lambda tensor: (-tensor.dtype.size, tensor.name)):
        starts[tensor.name], end = end, end + tensor.nbytes
        entries[tensor.name] = {
            "dtype": CODES[tensor.dtype],
            "shape": tensor.shape,
            "data_offsets": (starts[tensor.name], end),
        }
    text = json.dumps(entries, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % ALIGNMENT)
    head = len(text).to_bytes(8, "little") + text
    return head, {name: len(head) + start for name, start in starts.items()}


def to_json(value: object) -> str:
    """The same text for the same value: sorted keys, two spaces, one newline at the end."""
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
