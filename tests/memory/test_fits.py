"""What fits, what does not, and what would."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.errors import ModelTooLargeError
from qwen3_mlx.memory import Use, check_memory, estimate, estimate_within, longest_context
from qwen3_mlx.memory.family import FORMATS, family_config, family_weights
from qwen3_mlx.memory.fits import room_for_experts, shown_memory
from tests.memory.conftest import make_config

METAL: Use = {"attends_in_one": True}


def refused(
    name: str, recipe: str, gigabytes: float, *, context: int = 4096, kv_bits: int | None = None
) -> ModelTooLargeError:
    """How a published model is refused on a GPU with so many 10^9 bytes."""
    config = family_config(name)
    weights = family_weights(config, FORMATS[recipe], 2).total
    use: Use = {**METAL, "kv_bits": kv_bits}
    with pytest.raises(ModelTooLargeError) as caught:
        check_memory(
            config,
            round(gigabytes * 1e9),
            weights=weights,
            context=context,
            item_bytes=2,
            **use,
        )
    return caught.value


def test_what_just_fits() -> None:
    config = make_config()
    total = estimate(config, weights=700, context=8, chunk=32, item_bytes=2).total
    found = check_memory(config, total, weights=700, context=8, item_bytes=2)
    assert found.total == total
    with pytest.raises(ModelTooLargeError):
        check_memory(config, total - 1, weights=700, context=8, item_bytes=2)


def test_a_dense_model_that_is_too_large_in_any_way() -> None:
    error = refused("32b", "4bit", 16)
    assert error.exit_code == 4
    assert error.message.startswith(
        "the model needs 18.4 GB for its weights, 1.1 GB for 4096 tokens of context and "
    )
    assert error.message.endswith(", and this machine has 16.0 GB for it")
    assert error.hint == "Choose a smaller model: `qwen3-mlx models` lists sizes."


def test_fewer_bits_would_do() -> None:
    error = refused("8b", "bf16", 12)
    assert error.hint == "It would fit with weights of 4 bits, which take 4.6 GB."


def test_a_shorter_context_or_a_rounded_cache_would_do() -> None:
    """32768 tokens of 144 KiB are 4.8 GB, rounded 2.6 GB."""
    hint = refused("8b", "4bit", 8, context=32768).hint or ""
    assert hint.startswith("It would fit with a shorter context (--context ")
    assert hint.endswith(") or a rounded cache (--kv-bits 8).")


def test_what_is_rounded_already_is_not_proposed() -> None:
    assert "--kv-bits" not in (refused("8b", "4bit", 6, context=32768, kv_bits=8).hint or "")


def test_experts_on_disk_would_do() -> None:
    """The weights are 17.2 GB, the experts 16.3 of them."""
    error = refused("30b-a3b", "4bit", 8)
    assert (
        error.hint == "It would fit with a part of its experts in memory (--expert-memory 6.5GB)."
    )


def test_an_expert_memory_that_is_proposed_fits() -> None:
    config = family_config("30b-a3b")
    weights = family_weights(config, FORMATS["4bit"], 2).total
    room = room_for_experts(config, 8 * 10**9, weights=weights, context=4096, item_bytes=2, **METAL)
    assert room is not None
    with_room: Use = {**METAL, "expert_memory": room}
    check_memory(config, 8 * 10**9, weights=weights, context=4096, item_bytes=2, **with_room)


def test_no_room_for_the_experts_of_one_token() -> None:
    """An expert of all layers takes a 128th of 16.3 GB, and a token goes through eight."""
    assert "experts" not in (refused("30b-a3b", "4bit", 2).hint or "")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(6_590_000_000, "6.5GB"), (7 * 10**9, "7GB"), (999_999_999, "999MB"), (12_345_678, "12MB")],
)
def test_memory_for_experts_is_shown_as_it_is_written(count: int, shown: str) -> None:
    assert shown_memory(count) == shown


@given(st.integers(0, 40 * 10**6), st.integers(1, 40000))
def test_the_longest_context_fits_and_no_longer_one(available: int, limit: int) -> None:
    config = make_config()

    def fits(context: int) -> bool:
        found = estimate_within(config, available, weights=10**6, context=context, item_bytes=4)
        return found.total <= available

    found = longest_context(config, available, weights=10**6, limit=limit, item_bytes=4)
    assert found == 0 or fits(found)
    assert found == limit or (found % 256 == 0 and not fits(min(limit, found + 256)))
