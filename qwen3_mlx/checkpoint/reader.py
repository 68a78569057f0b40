"""The tensors of a model folder, and their numbers.

Knows which files belong to a model: those its index names, or ``model.safetensors``. Never lists
a folder, so a forgotten shard cannot win, and never reads a pickle. Does not know which tensors a
network needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx

from qwen3_mlx.checkpoint.files import FETCH_AGAIN, is_there, open_regular, read_json, real_path
from qwen3_mlx.checkpoint.header import ITEM_BYTES, TensorInfo, read_header
from qwen3_mlx.errors import ModelFileError, UnsupportedModelError, shown

__all__ = [
    "TensorInfo",
    "model_tensors",
    "read_header",
    "read_json",
    "read_rows",
    "read_tensor",
    "resolve_inside",
    "weight_files",
]

WEIGHTS = "model.safetensors"
INDEX = "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json")

# F8 comes as its bytes: MLX has no such type.
DTYPES = {
    "BOOL": mx.bool_,
    "U8": mx.uint8,
    "I8": mx.int8,
    "F8_E4M3": mx.uint8,
    "U16": mx.uint16,
    "I16": mx.int16,
    "F16": mx.float16,
    "BF16": mx.bfloat16,
    "U32": mx.uint32,
    "I32": mx.int32,
    "F32": mx.float32,
    "U64": mx.uint64,
    "I64": mx.int64,
}


def weight_files(directory: Path) -> tuple[str, ...]:
    """The names of the safetensors files that make up the model of a folder.

    Raises:
        ModelFileError: The index is damaged.
    """
    if is_there(directory / INDEX):
        return tuple(sorted(set(_read_index(directory).values())))
    return (WEIGHTS,)


def model_tensors(directory: Path) -> dict[str, TensorInfo]:
    """All tensors of the model in a folder, by name, from the headers of its safetensors files.

    With an index, the headers must hold exactly the tensors that it names, each in the file that
    it says.

    Raises:
        ModelFileError: There are no weights, a file is damaged or lies outside the folder, or
            index and headers disagree.
    """
    if is_there(directory / INDEX):
        return _indexed(directory)
    if not is_there(directory / WEIGHTS):
        raise _no_weights(directory)
    return read_header(resolve_inside(directory, WEIGHTS))


def _no_weights(directory: Path) -> ModelFileError:
    message = f"{directory} has no weights: neither {WEIGHTS} nor {INDEX} is there"
    if any(is_there(directory / name) for name in PICKLES):
        return ModelFileError(
            f"{message}, only a pickle, which can run code and is never read",
            hint="Look for a version of the model in safetensors.",
        )
    return ModelFileError(message, hint="Give a folder with a complete model.")


def resolve_inside(directory: Path, name: str) -> Path:
    """The regular file ``name`` of a model folder, all links resolved.

    Links may lead to another file of the same folder, or from a snapshot of the Hugging Face
    cache to the blobs of the same repository.

    Raises:
        ModelFileError: The name is not a plain one, the file is missing or no regular file, or
            it lies somewhere else.
    """
    if name in ("", ".", "..") or "\0" in name or "/" in name or "\\" in name:
        raise ModelFileError(
            f"{directory}: {shown(name)} is not the plain name of a file in the folder"
        )
    root, file = real_path(directory), real_path(directory / name)
    if file.parent != root and file.parent != _blobs(root):
        raise ModelFileError(
            f"{directory / name} is a link to {file}, outside the model's folder",
            hint="Put the file itself into the folder.",
        )
    open_regular(directory / name).close()  # under the name that a person knows
    return file


def _blobs(root: Path) -> Path | None:
    """Where the files of a snapshot of the Hugging Face cache are."""
    return root.parents[1] / "blobs" if root.parent.name == "snapshots" else None


def _indexed(directory: Path) -> dict[str, TensorInfo]:
    where = _read_index(directory)
    tensors: dict[str, TensorInfo] = {}
    for shard in sorted(set(where.values())):
        header = read_header(resolve_inside(directory, shard))
        _check_new(header, tensors)
        tensors |= header
    _check_places(directory, where, tensors)
    return tensors


def _check_new(header: Mapping[str, TensorInfo], known: Mapping[str, TensorInfo]) -> None:
    for name in header.keys() & known.keys():
        raise ModelFileError(
            f"the tensor {shown(name)} is in two files: {known[name].file} and {header[name].file}"
        )


def _check_places(
    directory: Path, where: Mapping[str, str], tensors: Mapping[str, TensorInfo]
) -> None:
    index = directory / INDEX
    for name, info in tensors.items():
        if name not in where or real_path(directory / where[name]) != info.file:
            raise ModelFileError(
                f"{info.file} holds the tensor {shown(name)}, which {index} does not place there"
            )
    for name in where.keys() - tensors.keys():
        raise ModelFileError(
            f"{index} places the tensor {shown(name)} in {shown(where[name])}, "
            "which does not hold it",
            hint=FETCH_AGAIN,
        )


def _read_index(directory: Path) -> dict[str, str]:
    path = directory / INDEX
    where = read_json(resolve_inside(directory, INDEX)).get("weight_map")
    if not isinstance(where, dict) or not where:
        raise ModelFileError(f"{path}: weight_map is missing or empty", hint=FETCH_AGAIN)
    for name, shard in where.items():
        if not isinstance(shard, str) or not shard.endswith(".safetensors"):
            raise ModelFileError(
                f"{path} places the tensor {shown(name)} in {shown(shard)}, no safetensors file"
            )
    return where


def read_tensor(info: TensorInfo) -> mx.array:
    """All numbers of a tensor; reads only its own bytes.

    Raises:
        UnsupportedModelError: MLX has no such dtype.
        ModelFileError: The file has become unreadable or shorter.
    """
    return _read(info, info.start, info.end).reshape(info.shape)


def read_rows(info: TensorInfo, start: int, stop: int) -> mx.array:
    """Rows ``start`` to ``stop`` of a tensor, seen as a matrix as wide as its last axis.

    Reads only the bytes of these rows.

    Args:
        info: A tensor with at least one axis.
        start: The first row.
        stop: The row after the last one.

    Returns:
        [stop - start, width].

    Raises:
        ValueError: There are no such rows.
        UnsupportedModelError: MLX has no such dtype.
        ModelFileError: The file has become unreadable or shorter.
    """
    width = info.shape[-1]
    row_bytes = width * ITEM_BYTES[info.dtype]
    first, last = info.start + start * row_bytes, info.start + stop * row_bytes
    if not info.start <= first <= last <= info.end:
        raise ValueError(f"{info.name} has no rows {start} to {stop}")
    return _read(info, first, last).reshape(stop - start, width)


def _read(info: TensorInfo, start: int, end: int) -> mx.array:
    if info.dtype not in DTYPES:
        raise UnsupportedModelError(
            f"{info.file}: the tensor {shown(info.name)} is {info.dtype}, which MLX cannot hold"
        )
    data = _read_bytes(info.file, start, end - start)
    # MLX takes any buffer; its type stubs leave that out.
    numbers = mx.array(memoryview(data))  # type: ignore[arg-type]
    return numbers.view(DTYPES[info.dtype])


def _read_bytes(path: Path, start: int, count: int) -> bytes:
    with open_regular(path) as file:
        try:
            file.seek(start)
            data = file.read(count)
        except OSError as error:
            raise ModelFileError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) < count:
        raise ModelFileError(f"{path} became shorter while it was read", hint=FETCH_AGAIN)
    return data
