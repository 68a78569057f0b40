"""Which expert is in which slot, and which one leaves for another.

Knows numbers alone: experts, slots, and the order in which they were used. Does not know weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class SlotTable:
    """Slots for some experts; the least recently used one leaves first.

    Args:
        slots: How many experts there is room for.
    """

    def __init__(self, slots: int) -> None:
        self._free = list(reversed(range(slots)))
        self._held: dict[int, int] = {}  # expert -> slot, the least recently used first

    def __contains__(self, expert: int) -> bool:
        return expert in self._held

    def slots(self, experts: Iterable[int]) -> dict[int, int]:
        """Where held experts are."""
        return {expert: self._held[expert] for expert in experts}

    def use(self, experts: Iterable[int]) -> None:
        """Note that held experts are used, the last one last."""
        for expert in experts:
            self._held[expert] = self._held.pop(expert)

    def place(self, experts: Sequence[int]) -> dict[int, int]:
        """Give each expert, none of them held, a slot: a free one, or that of whoever leaves.

        Args:
            experts: At most as many as there are slots.
        """
        placed = {expert: self._vacate() for expert in experts}
        self._held |= placed
        return placed

    def remove(self, experts: Iterable[int]) -> None:
        """Forget held experts; their slots are free."""
        self._free += [self._held.pop(expert) for expert in experts]

    def _vacate(self) -> int:
        return self._free.pop() if self._free else self._held.pop(next(iter(self._held)))
