"""Which expert leaves which slot: worked out by hand, and against a list that does the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from qwen3_mlx.model.slot_table import SlotTable


def test_the_least_recently_used_expert_leaves() -> None:
    table = SlotTable(3)
    assert table.place([10, 11, 12]) == {10: 0, 11: 1, 12: 2}
    table.use([10])  # the order is now 11, 12, 10
    assert table.place([13]) == {13: 1}
    assert 11 not in table
    table.use([12])  # 10, 13, 12
    assert table.place([14, 15]) == {14: 0, 15: 1}
    assert table.slots([12, 14, 15]) == {12: 2, 14: 0, 15: 1}
    assert not any(expert in table for expert in (10, 11, 13))


def test_a_slot_whose_expert_was_forgotten_is_taken_first() -> None:
    table = SlotTable(2)
    table.place([1, 2])
    table.remove([2])
    assert 2 not in table
    assert table.place([3]) == {3: 1}
    assert 1 in table


@given(st.integers(1, 6), st.lists(st.integers(0, 9), max_size=60))
def test_it_holds_the_experts_used_last(slots: int, uses: list[int]) -> None:
    table = SlotTable(slots)
    latest: list[int] = []
    for expert in uses:
        if expert not in table:
            table.place([expert])
        table.use([expert])
        latest = [*(other for other in latest if other != expert), expert][-slots:]
        assert [other for other in range(10) if other in table] == sorted(latest)
        assert len(set(table.slots(latest).values())) == len(latest)
