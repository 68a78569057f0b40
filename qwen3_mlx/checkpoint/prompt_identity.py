"""What a saved prompt is bound to: everything but the ids that its numbers depend on.

Knows config, headers, sizes, times and a few bytes of the weights. Does not read all of them: a
digest of 100 GB would take longer than reading a prompt.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from importlib.metadata import version
from itertools import groupby
from pathlib import Path

import mlx.core as mx

import qwen3_mlx
from qwen3_mlx.checkpoint.files import open_regular
from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.load import Checkpoint
from qwen3_mlx.checkpoint.prompt_file import DIGEST_LETTERS
from qwen3_mlx.checkpoint.recorded import recorded_digests
from qwen3_mlx.model.config import Qwen3Config

TOKENIZERS = ("tokenizer.json", "tokenizer.model")
"""Read whole."""

SAMPLES = 1024
SAMPLE_BYTES = 64
"""From the middle of so many tensors at most: what a few thousand reads cost stays unnoticed."""


def model_identity(
    folder: Path, checkpoint: Checkpoint, config: Qwen3Config, dtype: mx.Dtype
) -> str:
    """A digest that is another one for another model, and another one for other numbers.

    It holds the versions of this package and of MLX, ``config.json`` with the quantization, the
    rotary positions as they run, the type to compute in, the tokenizer, and of the weights: every
    header, the size and the time of change of each file, and :data:`SAMPLE_BYTES` bytes from the
    middle of up to :data:`SAMPLES` tensors. Not noticed are weights that were changed elsewhere
    alone, in a file of the same size that was given its old time of change again.

    Args:
        folder: Of the model.
        checkpoint: As it was opened.
        config: As the model runs.
        dtype: What it computes in.

    Raises:
        ModelFileError: One of its files can no longer be read.
    """
    return _summary(
        _contents(folder, checkpoint)
        | {
            "versions": [qwen3_mlx.__version__, version("mlx")],
            "config": asdict(replace(config, context=None)),
            "dtype": str(dtype),
            "states": {t.file.name: _state(t.file) for t in checkpoint.tensors.values()},
        }
    )


def weights_identity(folder: Path, checkpoint: Checkpoint) -> str:
    """A digest that a copy of the model's files has too, whatever it is run with.

    Of the weights it holds the headers and the same few bytes as :func:`model_identity`.

    Raises:
        ModelFileError: One of its files can no longer be read.
    """
    return _summary(_contents(folder, checkpoint))


def _contents(folder: Path, checkpoint: Checkpoint) -> dict[str, object]:
    """What the model's files hold, whenever they were written."""
    tensors, recorded = checkpoint.tensors.values(), recorded_digests(folder)
    return {
        "config.json": checkpoint.raw_config,
        "files": {name: _digest(folder / name) for name in TOKENIZERS},
        "recorded": {t.file.name: recorded.get(t.file.name) for t in tensors},
        "headers": [[t.name, t.dtype, t.shape, t.start, t.file.name] for t in tensors],
        "samples": _samples(checkpoint.tensors),
    }


def _summary(parts: Mapping[str, object]) -> str:
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LETTERS]


def _digest(path: Path) -> str | None:
    if not path.exists():
        return None
    with open_regular(path) as file:
        return hashlib.sha256(file.read()).hexdigest()


def _state(path: Path) -> list[int]:
    state = path.stat()
    return [state.st_size, state.st_mtime_ns]


def _samples(tensors: Mapping[str, TensorInfo]) -> str:
    """A digest of bytes from the middle of evenly chosen tensors."""
    step = -(-len(tensors) // SAMPLES)
    chosen = [tensors[name] for name in sorted(tensors)[::step]]
    digest = hashlib.sha256()
    for path, infos in groupby(sorted(chosen, key=_place), key=lambda info: info.file):
        for sample in _read_samples(path, infos):
            digest.update(sample)
    return digest.hexdigest()


def _place(info: TensorInfo) -> tuple[Path, int]:
    return info.file, info.start


def _read_samples(path: Path, infos: Iterable[TensorInfo]) -> list[bytes]:
    with open_regular(path) as file:
        return [
            os.pread(file.fileno(), SAMPLE_BYTES, (info.start + info.end) // 2) for info in infos
        ]
