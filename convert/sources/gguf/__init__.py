"""GGUF files of architecture `qwen3` and `qwen3moe`, tokenizer and template included.

Knows how header, blocks, names and vocabulary make a source. Each has its own module.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.reader import read_rows
from qwen3_mlx.convert.sources.base import Source
from qwen3_mlx.convert.sources.gguf.blocks import KINDS
from qwen3_mlx.convert.sources.gguf.header import read_gguf_header
from qwen3_mlx.convert.sources.gguf.network import hf_config, network_name
from qwen3_mlx.convert.sources.gguf.vocabulary import vocabulary_files
from qwen3_mlx.convert.sources.model import ModelSource

TORCH_NAMES = {"F32": "float32", "F16": "float16", "BF16": "bfloat16"}


@dataclass(frozen=True)
class GgufTensor:
    """Rows of blocks. Implements `Tensor`.

    Attributes:
        packed: The same as bytes, [..., bytes of a row].
        kind: Of its blocks, such as ``Q4_K``.
    """

    info: TensorInfo
    packed: TensorInfo
    kind: str

    @property
    def parts(self) -> tuple[TensorInfo, ...]:
        return (self.packed,)

    def read(self, start: int, stop: int) -> mx.array:
        data = read_rows(self.packed, start, stop).reshape(-1, KINDS[self.kind].nbytes)
        return KINDS[self.kind].decode(data).reshape(stop - start, self.info.shape[-1])


def open_gguf(path: Path) -> Source:
    """Open a GGUF file as a source.

    Raises:
        UnsupportedModelError: Another architecture, or a kind of block that is not supported.
        ModelFileError: It is damaged, incomplete or contradicts itself.
    """
    header = read_gguf_header(path)
    dtype = _dtype(header.tensors.values())
    tensors = [gguf_tensor(info, dtype) for info in header.tensors.values()]
    return ModelSource(
        path,
        hf_config(path, header.metadata, header.tensors, TORCH_NAMES[dtype]),
        {tensor.info.name: tensor for tensor in tensors},
        files=(path,),
        companions=partial(vocabulary_files, path, header.metadata),
    )


def gguf_tensor(info: TensorInfo, dtype: str) -> GgufTensor:
    """A tensor of a GGUF file under the network's name, to be written in `dtype`."""
    row_bytes = info.nbytes // math.prod(info.shape[:-1])
    packed = replace(info, dtype="U8", shape=(*info.shape[:-1], row_bytes))
    return GgufTensor(replace(info, name=network_name(info.name), dtype=dtype), packed, info.dtype)


def _dtype(infos: Iterable[TensorInfo]) -> str:
    """What to write numbers in: that of the matrices where they are not packed.

    Norms don't count: llama.cpp writes them in float32, whatever they were in.
    """
    kinds = {info.dtype for info in infos if len(info.shape) > 1}
    return kinds.pop() if len(kinds) == 1 and kinds <= TORCH_NAMES.keys() else "BF16"
