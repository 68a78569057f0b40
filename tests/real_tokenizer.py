"""Qwen3's own tokenizer, where this machine has it."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Iterator
from pathlib import Path


def unpacked(folder: Path) -> Path | None:
    """A folder with the tokenizer that Qwen publishes, None where there is none.

    Args:
        folder: Takes the files if they are compressed.
    """
    source = next(filter(None, map(_tokenizer_file, _places())), None)
    if source is None or source.suffix != ".gz":
        return source and source.parent
    (folder / "tokenizer.json").write_bytes(gzip.decompress(source.read_bytes()))
    shutil.copy(source.with_name("tokenizer_config.json"), folder)
    return folder


def _places() -> Iterator[Path]:
    from huggingface_hub.constants import HF_HUB_CACHE

    if named := os.environ.get("QWEN3_MLX_TOKENIZER"):
        yield Path(named)
    yield Path(__file__).parents[2] / "shared" / "qwen3-tokenizer"
    yield from sorted(Path(HF_HUB_CACHE).glob("models--Qwen--Qwen3-*B/snapshots/*"))


def _tokenizer_file(folder: Path) -> Path | None:
    files = (folder / name for name in ("tokenizer.json", "tokenizer.json.gz"))
    has_config = (folder / "tokenizer_config.json").is_file()
    return next((file for file in files if has_config and file.is_file()), None)
