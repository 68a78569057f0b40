"""GGML's blocks against the `gguf` package, which holds the reference in NumPy."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

from qwen3_mlx.convert.sources.gguf.blocks import KINDS
from tests.convert.gguf_files import HALVES, random_blocks


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
