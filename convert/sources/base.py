"""What a model to convert looks like to the rest of the converter, whatever it is packed in.

Knows the interface that every format implements. Knows no format, and reads no file.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.model import Qwen3Config


@dataclass(frozen=True)
class Rows:
    """Rows `start` to `stop` of a source's tensor, seen as a matrix as wide as its last axis."""

    tensor: str
    start: int
    stop: int


class Source(Protocol):
    """A model to convert: what it is, and its numbers a few rows at a time."""

    @property
    def config(self) -> Qwen3Config:
        """The network."""

    @property
    def raw_config(self) -> Mapping[str, object]:
        """`config.json` as it stands, or as it would; nothing in it about quantization."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the numbers are read from."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before converting this source, a sentence each."""

    def companions(self) -> dict[str, bytes]:
        """What goes beside the weights unchanged (tokenizer, template, licence), by file name.

        Raises:
            ModelFileError: There is no tokenizer, or a file is damaged.
        """

    def rows(self, name: str) -> tuple[Rows, ...]:
        """The rows that make up the network's tensor of that name, in order."""

    def files_of(self, tensor: str) -> frozenset[Path]:
        """Those of `files` that the numbers of a source's tensor are read from."""

    def dtype(self, tensor: str) -> mx.Dtype:
        """What the numbers of a source's tensor are written as where they are kept whole.

        Where they are packed, it is what their scales are in.
        """

    def read(self, rows: Rows) -> mx.array:
        """The numbers, [stop - start, width], not rounded: in float32 where they were packed."""


class Tensor(Protocol):
    """One tensor of a source."""

    @property
    def info(self) -> TensorInfo:
        """Its name and shape in the network, and the dtype to write it in.

        The place in the file is that of its numbers as they are packed.
        """

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        """What it is read from."""

    def read(self, start: int, stop: int) -> mx.array:
        """Its rows `start` to `stop`, [stop - start, width]; see :meth:`Source.read`."""
