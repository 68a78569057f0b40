"""What fits into memory, with sums that can be checked by hand."""

from __future__ import annotations

import mlx.core as mx
import pytest

from qwen3_mlx import memory
from qwen3_mlx.errors import ModelTooLargeError


def test_the_cache_of_qwen3_8b_at_4096_tokens() -> None:
    # 36 layers x 8 heads x 128 numbers x 2 bytes, for keys and for values: 144 KiB a token.
    size = memory.cache_bytes(layers=36, kv_heads=8, head_dim=128, tokens=4096, item_bytes=2)
    assert size == 4096 * 144 * 1024


def test_what_just_fits() -> None:
    memory.check_memory(700, 300, tokens=8, available=1000)


def test_weights_alone_too_large() -> None:
    with pytest.raises(ModelTooLargeError) as caught:
        memory.check_memory(18_400_000_000, 1_070_000_000, tokens=4096, available=16_000_000_000)
    assert caught.value.exit_code == 4
    assert caught.value.message == (
        "the model needs 18.4 GB for its weights and 1.1 GB for 4096 tokens of context, "
        "and this machine has 16.0 GB for it"
    )
    assert caught.value.hint == "Choose a smaller model: `qwen3-mlx models` lists sizes."


def test_a_context_too_long() -> None:
    with pytest.raises(ModelTooLargeError) as caught:
        memory.check_memory(900, 101, tokens=8, available=1000)
    assert caught.value.hint == (
        "Ask for a shorter context (--context), or choose a smaller model."
    )


def test_the_machine_is_asked_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "machine_memory", lambda: 10)
    with pytest.raises(ModelTooLargeError):
        memory.check_memory(8, 3, tokens=1)


@pytest.mark.parametrize("name", ["max_recommended_working_set_size", "total_memory"])
def test_the_limit_of_a_gpu_counts(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(mx, "device_info", lambda: {"device_name": "GPU", name: 123})
    assert memory.machine_memory() == 123


@pytest.mark.parametrize(("gigabytes", "usable"), [(24, 16), (36, 24), (64, 48)])
def test_else_the_usable_part_of_all_memory_counts(
    monkeypatch: pytest.MonkeyPatch, gigabytes: int, usable: int
) -> None:
    """Two thirds up to 36 GB, three quarters above."""
    sizes = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": gigabytes * 2**18}
    monkeypatch.setattr(mx, "device_info", dict)
    monkeypatch.setattr("os.sysconf", sizes.__getitem__)
    assert memory.machine_memory() == usable * 2**30
