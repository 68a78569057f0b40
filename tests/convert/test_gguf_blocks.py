"""GGML's blocks against the `gguf` package, which holds the reference in NumPy."""

from __future__ import annotations

import random

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from qwen3_mlx.convert.sources.gguf.blocks import KINDS

# Where the float16 numbers of a block are; the rest of its bytes may be anything.
HALVES = {
    "Q4_0": (0,),
    "Q4_1": (0, 2),
    "Q5_0": (0,),
    "Q5_1": (0, 2),
    "Q8_0": (0,),
    "Q4_K": (0, 2),
    "Q5_K": (0, 2),
    "Q6_K": (208,),
}


def random_blocks(kind: str, count: int) -> bytes:
    """Random bytes, the float16 among them made finite by clearing an exponent bit."""
    size = KINDS[kind].nbytes
    data = bytearray(random.Random(kind).randbytes(size * count))
    for start in range(0, len(data), size):
        for half in HALVES[kind]:
            data[start + half + 1] &= 0b10111111
    return bytes(data)


def array(data: bytes, width: int) -> mx.array:
    # MLX takes any buffer; its type stubs leave that out.
    return mx.array(memoryview(data)).reshape(-1, width)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", HALVES)
def test_every_bit_is_as_in_the_reference(kind: str) -> None:
    data = random_blocks(kind, 300)
    decoded = np.array(KINDS[kind].decode(array(data, KINDS[kind].nbytes)))
    blocks = np.frombuffer(data, np.uint8).reshape(300, -1)
    expected = dequantize(blocks, GGMLQuantizationType[kind])
    assert decoded.dtype == expected.dtype
    assert np.array_equal(decoded, expected)


def test_a_q4_0_block_worked_by_hand() -> None:
    """Scale 0.5; byte i holds i in its low half and 15 - i in its high: less 8, and halved."""
    block = np.float16(0.5).tobytes() + bytes(i | (15 - i) << 4 for i in range(16))
    expected = [(i - 8) / 2 for i in range(16)] + [(7 - i) / 2 for i in range(16)]
    assert KINDS["Q4_0"].decode(array(block, 18)).tolist() == [expected]


@pytest.mark.parametrize("kind", KINDS)
def test_codes_and_sizes_are_ggmls(kind: str) -> None:
    code = GGMLQuantizationType[kind]
    assert KINDS[kind].code == code
    assert (KINDS[kind].numbers, KINDS[kind].nbytes) == GGML_QUANT_SIZES[code]
