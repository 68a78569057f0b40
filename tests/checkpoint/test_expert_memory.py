"""How much memory a person gives to experts: what is understood, and what it comes to."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.checkpoint.expert_memory import ExpertMemory, Experts, parse_expert_memory
from qwen3_mlx.errors import ModelTooLargeError, UsageError

# One expert of all 48 layers of 30B-A3B at 4 bits, about.
REAL = Experts(count=128, used=8, nbytes=127_000_000)


@pytest.mark.parametrize(
    ("text", "nbytes", "share"),
    [
        ("6GB", 6_000_000_000, None),
        (" 6.5 gb ", 6_500_000_000, None),
        ("512MB", 512_000_000, None),
        ("1Tb", 10**12, None),
        ("90kB", 90_000, None),
        ("40%", None, Fraction(2, 5)),
        ("12.5 %", None, Fraction(1, 8)),
        ("100%", None, Fraction(1)),
        ("auto", None, None),
        ("AUTO", None, None),
    ],
)
def test_what_is_understood(text: str, nbytes: int | None, share: Fraction | None) -> None:
    assert parse_expert_memory(text) == ExpertMemory(text.strip(), nbytes, share)


@pytest.mark.parametrize(
    "text",
    ["", "6", "GB", "-1GB", "6 G B", "1e3MB", "6GiB", "101%", "%", "0.4", "half", "none", "٦GB"],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_expert_memory(text)
    assert caught.value.message == f"{text!r} is no amount of memory for experts"


@given(st.text(max_size=12))
def test_any_text_is_understood_or_refused(text: str) -> None:
    try:
        found = parse_expert_memory(text)
    except UsageError:
        return
    assert found.share is None or 0 <= found.share <= 1


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("6GB", 47),  # 6000 / 127 = 47.2
        ("40%", 51),  # 51.2
        ("7%", 8),  # 8.96
        ("100%", 128),
        ("99GB", 128),
        ("auto", 78),  # 10000 / 127 = 78.7
    ],
)
def test_what_it_comes_to(text: str, slots: int) -> None:
    assert parse_expert_memory(text).slots(REAL, free=10 * 10**9) == slots


@pytest.mark.parametrize(("text", "slots"), [("1GB", 7), ("6%", 7), ("0%", 0)])
def test_fewer_than_a_token_goes_through(text: str, slots: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_expert_memory(text).slots(REAL, free=10**12)
    assert caught.value.exit_code == 2
    assert caught.value.message == (
        f"{text} is memory for {slots} of the 128 experts of each layer, "
        "and each token goes through 8"
    )
    assert caught.value.hint == "The least that works is 1016MB, which is 7%."


@given(
    st.integers(1, 512).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n))),
    st.integers(1, 10**12),
)
def test_what_is_said_to_be_the_least_works(counts: tuple[int, int], nbytes: int) -> None:
    experts = Experts(*counts, nbytes)
    with pytest.raises(UsageError) as caught:
        parse_expert_memory("0%").slots(experts, free=0)
    size, share = (caught.value.hint or "").removesuffix(".").rpartition("is ")[0::2]
    size = size.removeprefix("The least that works is ").removesuffix(", which ")
    for text in (size, share):
        assert parse_expert_memory(text).slots(experts, free=0) >= experts.used


@pytest.mark.parametrize("free", [-(10**9), 0, 10**9])
def test_a_machine_without_room(free: int) -> None:
    with pytest.raises(ModelTooLargeError) as caught:
        parse_expert_memory("auto").slots(REAL, free)
    assert caught.value.exit_code == 4
    assert caught.value.message == (
        f"beside all else this machine has {max(0, free) / 10**9} GB for experts, "
        "and the 8 of each layer that a token goes through take 1016MB, which is 7%"
    )
