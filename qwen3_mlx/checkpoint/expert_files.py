"""The weights of single experts, read from a checkpoint's files when they are needed.

Knows where each expert's bytes are, however the checkpoint holds its experts, and reads several
of them at once. Does not know which experts are needed, nor what becomes of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.origins import Origin
from qwen3_mlx.checkpoint.reader import DTYPES
from qwen3_mlx.checkpoint.watched_file import WatchedFile

READERS = 8


@dataclass(frozen=True, slots=True)
class Extent:
    """Where the numbers of one expert's tensor are, and what they are."""

    file: WatchedFile
    start: int
    size: int
    dtype: mx.Dtype


class ExpertFiles:
    """The files of a checkpoint that hold experts, opened once, and the threads that read them.

    Args:
        origins: Where each tensor of the network's experts is.
        tensors: What the checkpoint's files hold, by name.

    Raises:
        ModelFileError: A file cannot be opened or is not what its header described.
    """

    def __init__(self, origins: Mapping[str, Origin], tensors: Mapping[str, TensorInfo]) -> None:
        self._origins, self._tensors = origins, tensors
        paths = {tensors[name].file for origin in origins.values() for name in origin.names}
        self._files = {path: WatchedFile(path, _size(path, tensors)) for path in paths}
        self._pool = ThreadPoolExecutor(READERS, "experts")

    def layer(self, path: str, cast: mx.Dtype | None) -> LayerExperts:
        """The experts of the module at ``path``.

        Args:
            path: As in the names of the tensors.
            cast: What to make of floating-point numbers; None leaves them as they are.
        """
        names = [name for name in self._origins if name.startswith(f"{path}.")]
        stored = [self.extent(name, 0).dtype for name in sorted(names)]
        floats = [dtype for dtype in stored if mx.issubdtype(dtype, mx.floating)]
        return LayerExperts(self, path, cast or next(iter(floats), mx.float32))

    def extent(self, name: str, expert: int) -> Extent:
        """Where a tensor of one expert is; the name is that of the stacked tensor."""
        origin = self._origins[name]
        info = self._tensors[origin.names[expert if origin.part == "stack" else 0]]
        start, size = info.start, info.nbytes
        if origin.part != "stack":
            size //= info.shape[0]
            start += expert * size
        if origin.part.endswith("half"):
            size //= 2
            start += size * (origin.part == "second half")
        return Extent(self._files[info.file], start, size, DTYPES[info.dtype])

    def read(self, reads: Sequence[tuple[Extent, memoryview]]) -> None:
        """Fill buffers, several at once; nothing writes to them any more when this returns.

        Raises:
            ModelFileError: The disk has failed, or a file has changed.
        """
        shares = [reads[start::READERS] for start in range(min(READERS, len(reads)))]
        futures = [self._pool.submit(_read_all, share) for share in shares]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            wait(futures)
        for file in {extent.file for extent, _ in reads}:
            file.check()


class LayerExperts:
    """The experts of one layer.

    Attributes:
        dtype: What floating-point numbers are handed on as.
    """

    def __init__(self, files: ExpertFiles, path: str, dtype: mx.Dtype) -> None:
        self._files, self._path, self.dtype = files, path, dtype

    def read(self, wanted: Mapping[int, Mapping[str, memoryview]]) -> None:
        """Fill the buffers of experts, by the names of their tensors: ``gate_proj.weight``.

        Raises:
            ModelFileError: The disk has failed, or a file has changed.
        """
        cast: list[tuple[Extent, bytearray, memoryview]] = []
        reads: list[tuple[Extent, memoryview]] = []
        for extent, buffer in self._places(wanted):
            if not self._is_cast(extent.dtype):
                reads.append((extent, buffer))
                continue
            scratch = bytearray(extent.size)
            reads.append((extent, memoryview(scratch)))
            cast.append((extent, scratch, buffer))
        self._files.read(reads)
        self._cast(cast)

    def _places(
        self, wanted: Mapping[int, Mapping[str, memoryview]]
    ) -> Iterator[tuple[Extent, memoryview]]:
        for expert, buffers in wanted.items():
            for name, buffer in buffers.items():
                yield self._files.extent(f"{self._path}.{name}", expert), buffer

    def _is_cast(self, stored: mx.Dtype) -> bool:
        return stored != self.dtype and mx.issubdtype(stored, mx.floating)

    def _cast(self, cast: Sequence[tuple[Extent, bytearray, memoryview]]) -> None:
        arrays = [
            # MLX takes any buffer; its type stubs leave that out.
            mx.array(memoryview(data)).view(extent.dtype).astype(self.dtype)  # type: ignore[arg-type]
            for extent, data, _ in cast
        ]
        mx.eval(arrays)
        for array, (_, _, buffer) in zip(arrays, cast, strict=True):
            buffer[:] = memoryview(array.view(mx.uint8)).cast("B")  # type: ignore[arg-type]


def _read_all(reads: Sequence[tuple[Extent, memoryview]]) -> None:
    for extent, buffer in reads:
        extent.file.read_into(buffer, extent.start)


def _size(path: Path, tensors: Mapping[str, TensorInfo]) -> int:
    return max(info.end for info in tensors.values() if info.file == path)
