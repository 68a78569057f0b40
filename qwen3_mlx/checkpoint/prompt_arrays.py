"""The caches of a model as bytes that any thread may read while the model goes on.

Knows arrays and where the numbers of a token are in them. Does not know files.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import mlx.core as mx

from qwen3_mlx.checkpoint.prompt_file import Layout, Part, States
from qwen3_mlx.checkpoint.reader import DTYPES
from qwen3_mlx.model.config import Qwen3Config

NAMES = {dtype: name for name, dtype in reversed(DTYPES.items())}


def plain_layout(identity: str, config: Qwen3Config, dtype: mx.Dtype) -> Layout:
    """What the `KVCache` of each layer holds.

    Args:
        identity: Of the model.
        config: Its sizes.
        dtype: What it computes in.
    """
    part = Part(NAMES[dtype], config.num_key_value_heads, config.head_dim)
    return Layout(identity, config.num_hidden_layers, {"keys": part, "values": part})


class Snapshot:
    """What the caches of all layers hold now.

    Copies nothing: as long as it lives, MLX writes what comes next into buffers of its own.

    Args:
        layout: What they are expected to hold.
        states: The caches' buffers, [1, heads, room, width], in numbers that are computed.

    Raises:
        ValueError: They hold something else.
    """

    def __init__(self, layout: Layout, states: States) -> None:
        if len(states) != layout.layers or not all(_fits(layout, state) for state in states):
            raise ValueError("the caches hold other arrays than expected")
        self._parts = [part for _, part in layout.tensors]
        arrays = [state[name] for state in states for name in layout.parts]
        flat = [mx.contiguous(array).view(mx.uint8) for array in arrays]
        mx.eval(flat)
        # MLX's arrays are buffers; its type stubs leave that out.
        self._buffers = [memoryview(array).cast("B") for array in flat]  # type: ignore[arg-type]

    def rows(self, start: int, stop: int) -> list[memoryview]:
        """The bytes of the tokens from `start` up to `stop`, in a file's order."""
        return [
            row
            for part, buffer in zip(self._parts, self._buffers, strict=True)
            for row in _rows(part, buffer, start, stop)
        ]


def _fits(layout: Layout, state: Mapping[str, mx.array]) -> bool:
    if any(array.shape[0] != 1 for array in state.values()):
        return False
    found = {name: Part(NAMES[array.dtype], *array.shape[1::2]) for name, array in state.items()}
    return found == layout.parts


def _rows(part: Part, buffer: memoryview, start: int, stop: int) -> Sequence[memoryview]:
    head = len(buffer) // part.heads
    token = part.nbytes // part.heads
    return [
        buffer[place + start * token : place + stop * token]
        for place in range(0, len(buffer), head)
    ]
