"""What a format may do to a number, and that MLX never does more."""

from __future__ import annotations

import mlx.core as mx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_mlx.checkpoint.quantization import BITS, GROUP_SIZES, QuantSpec
from qwen3_mlx.convert.bounds import allowed_error
from qwen3_mlx.convert.plan import Target
from qwen3_mlx.convert.rounding import restored, rounded
from qwen3_mlx.convert.sources import Rows

SPECS = [QuantSpec(mode, bits, GROUP_SIZES[mode][0]) for mode in BITS for bits in BITS[mode]]
DTYPES = {"bfloat16": mx.bfloat16, "float16": mx.float16, "float32": mx.float32}


def share_of_allowed(rows: mx.array, spec: QuantSpec) -> float:
    """The largest error of a group after rounding, as a part of what is allowed."""
    shape = (rows.shape[0], rows.shape[1])
    target = Target("a.weight", shape, rows.dtype, (Rows("a", 0, shape[0]),), spec)
    back = restored(target, rounded(target, rows))
    groups = rows.astype(mx.float32).reshape(-1, spec.group_size)
    error = mx.abs(back.reshape(groups.shape) - groups).max(axis=-1)
    return float(mx.max(error / allowed_error(groups, spec, rows.dtype)).item().real)


@pytest.mark.parametrize("spec", SPECS, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_normal_numbers_of_every_size_stay_within(spec: QuantSpec, dtype: str) -> None:
    key = mx.random.key(1)
    sizes = mx.exp(mx.random.normal((200, 1), key=key))
    means = mx.random.normal((200, 1), key=mx.random.key(2)) * (mx.arange(200) % 3 == 0)[:, None]
    rows = (mx.random.normal((200, 128), key=mx.random.key(3)) + means) * sizes
    assert 0.2 < share_of_allowed(rows.astype(DTYPES[dtype]), spec) <= 1


@given(st.lists(st.floats(-100, 100, width=16), min_size=64, max_size=64), st.sampled_from(SPECS))
@settings(deadline=None, max_examples=200)
def test_whatever_the_numbers(numbers: list[float], spec: QuantSpec) -> None:
    assert share_of_allowed(mx.array([numbers], mx.bfloat16), spec) <= 1


def test_a_step_worked_out() -> None:
    """Numbers from -1 to 2 at two bits: a step of one, 2 % and the rounding of float32 more."""
    groups = mx.array([[-1.0, 2.0] * 16])
    allowed = allowed_error(groups, QuantSpec("affine", 2, 32), mx.float32)
    assert mx.allclose(allowed, mx.array([1.02]), rtol=1e-5)
