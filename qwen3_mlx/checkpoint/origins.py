"""Where in a checkpoint the numbers of each tensor are.

Knows the three ways in which experts are stored: stacked (mlx-lm), one by one (published
checkpoints) and with gate and up together (transformers 5). Does not know which tensors there
ought to be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import mlx.core as mx

from qwen3_mlx.checkpoint.files import FETCH_AGAIN
from qwen3_mlx.checkpoint.header import TensorInfo
from qwen3_mlx.checkpoint.layout import ExpectedTensor
from qwen3_mlx.errors import ModelFileError, shown

STACKED = re.compile(r"(model\.layers\.\d+\.mlp\.)switch_mlp\.(gate|up|down)_proj\.weight")


@dataclass(frozen=True)
class Origin:
    """The tensors of a checkpoint that one tensor of a network is made of.

    Attributes:
        names: More than one for experts that are to be stacked.
        part: Which rows of each expert: all, or one half of gate and up together.
    """

    names: tuple[str, ...]
    part: Literal["whole", "stack", "first half", "second half"] = "whole"

    def gather(self, arrays: Mapping[str, mx.array]) -> mx.array:
        """Make the tensor, lazily, out of the checkpoint's arrays."""
        if self.part == "stack":
            return mx.stack([arrays[name] for name in self.names])
        array = arrays[self.names[0]]
        if self.part == "whole":
            return array
        half = array.shape[1] // 2
        rows = array[:, :half] if self.part == "first half" else array[:, half:]
        return mx.contiguous(rows)


def find_origin(name: str, expected: ExpectedTensor, tensors: Mapping[str, TensorInfo]) -> Origin:
    """Where the tensor ``name`` of a network is in a checkpoint.

    Args:
        name: The tensor's name as mlx-lm has it.
        expected: What it must look like.
        tensors: The checkpoint's tensors.

    Raises:
        ModelFileError: It is missing, or has another shape or type.
    """
    stacked = STACKED.fullmatch(name)
    if name in tensors or not stacked:
        return _whole(name, expected, tensors)
    prefix, projection = stacked.groups()
    if f"{prefix}experts.down_proj" in tensors:
        return _from_pairs(f"{prefix}experts.", projection, expected, tensors)
    singles = _single_names(prefix, projection, expected.shape[0])
    each = ExpectedTensor(expected.shape[1:], expected.dtypes)
    # Checked as they are named: a config may claim any number of experts.
    return Origin(tuple(check_tensor(single, each, tensors) for single in singles), "stack")


def _single_names(prefix: str, projection: str, experts: int) -> Iterator[str]:
    return (f"{prefix}experts.{number}.{projection}_proj.weight" for number in range(experts))


def _from_pairs(
    prefix: str, projection: str, expected: ExpectedTensor, tensors: Mapping[str, TensorInfo]
) -> Origin:
    if projection == "down":
        return _whole(f"{prefix}down_proj", expected, tensors)
    experts, height, width = expected.shape
    both = ExpectedTensor((experts, 2 * height, width), expected.dtypes)
    name = check_tensor(f"{prefix}gate_up_proj", both, tensors)
    return Origin((name,), "first half" if projection == "gate" else "second half")


def _whole(name: str, expected: ExpectedTensor, tensors: Mapping[str, TensorInfo]) -> Origin:
    return Origin((check_tensor(name, expected, tensors),))


def check_tensor(name: str, expected: ExpectedTensor, tensors: Mapping[str, TensorInfo]) -> str:
    """The name again, once the checkpoint has such a tensor of the right shape and type.

    Raises:
        ModelFileError: It has not.
    """
    info = tensors.get(name)
    if info is None:
        raise ModelFileError(f"the tensor {name} is missing", hint=FETCH_AGAIN)
    if info.shape != expected.shape:
        raise ModelFileError(
            f"{info.file}: the tensor {name} has the shape {shown(list(info.shape))}, "
            f"where config.json makes it {list(expected.shape)}"
        )
    if info.dtype not in expected.dtypes:
        raise ModelFileError(
            f"{info.file}: the tensor {name} has the dtype {info.dtype}, "
            f"where config.json makes it {' or '.join(expected.dtypes)}"
        )
    return name
