"""The experts of a sparse MLP of which only some are in memory: a bounded number of slots.

Knows which experts a router chose, in which slots they are computed, and in which order many are
visited. Does not know where the weights of the others are: a source brings them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Protocol

import mlx.core as mx

from qwen3_mlx.model.fuse import FusedSwitchMLP, can_join
from qwen3_mlx.model.modules import Module
from qwen3_mlx.model.moe import SwitchMLP
from qwen3_mlx.model.slot_table import SlotTable

Buffers = Mapping[str, memoryview]

# The projections of an expert that lie one after the other in one of a slot.
JOINED = {"gate_up_proj": ("gate_proj", "up_proj")}


class ExpertSource(Protocol):
    """Where the weights of experts come from that are in no slot."""

    def read(self, wanted: Mapping[int, Buffers]) -> None:
        """Fill the buffers of experts; after an error nothing writes to them any more.

        Args:
            wanted: The bytes of each expert's slot by the names of tensors, such as
                ``gate_proj.weight``.
        """


class ExpertSlots(Module):
    """The SwiGLU MLPs of all experts, some of them in slots; called as :class:`SwitchMLP` is.

    The slots are MLX arrays that are made once and written in place. Which experts are needed
    must be known outside MLX for that, so each call waits for the numbers that it is given, and
    cannot be compiled. What it returns is being computed already, in an order in which nothing is
    overwritten that is still needed. Calls from several threads wait for each other.

    Args:
        slots: The MLPs of as many experts as there are slots; their weights are replaced.
        experts: How many experts there are.
        source: Where their weights come from.
        dtype: What weights are that are no packed integers.
    """

    def __init__(
        self, slots: SwitchMLP, experts: int, source: ExpertSource, dtype: mx.Dtype
    ) -> None:
        super().__init__()
        joins = can_join(slots.gate_proj, slots.up_proj)
        self._slots: int = slots.down_proj.weight.shape[0]
        # A leading underscore keeps the slots out of the parameters: no checkpoint has them.
        self._mlp = FusedSwitchMLP(slots) if joins else slots
        self._buffers = _emptied(self._mlp, self._slots, dtype)
        self._experts, self._source = experts, source
        self._table = SlotTable(self._slots)
        self._running: list[tuple[set[int], mx.array]] = []
        self._lock = Lock()

    def __call__(self, x: mx.array, experts: mx.array) -> mx.array:
        """Tokens [..., hidden] through experts [..., k] -> [..., k, hidden].

        Raises:
            Qwen3Error: The source has failed; the experts that are in slots stay there.
        """
        with self._lock:
            chosen: list[int] = experts.flatten().tolist()  # type: ignore[assignment]
            groups = self._groups(chosen)
            self._wait_for(set(range(self._slots)))
            if len(groups) > 1:
                return self._visit(x, experts, groups, Counter(chosen))
            self._hold(groups[0])
            return self._start(x, experts, groups[0])

    def _groups(self, chosen: Sequence[int]) -> list[list[int]]:
        """The experts needed, in the groups in which they are visited.

        Those in slots come first, and are computed while others are read. Of the others those
        that the last tokens need come last: they stay, and are the likeliest to be needed again.
        """
        needed = list(dict.fromkeys(reversed(chosen)))[::-1]
        held = [expert for expert in needed if expert in self._table]
        missing = [expert for expert in needed if expert not in self._table]
        size = max(1, self._slots // 2)
        parts = [missing[start : start + size] for start in range(0, len(missing), size)]
        return [held, *parts] if held else parts

    def _visit(
        self, x: mx.array, experts: mx.array, groups: Sequence[list[int]], tokens: Counter[int]
    ) -> mx.array:
        """One group of experts after the other, each with all the tokens that it has."""
        flat = experts.flatten()
        group_of = {expert: number for number, group in enumerate(groups) for expert in group}
        order = mx.argsort(self._looked_up(group_of, flat))
        rows, numbers = x.flatten(0, -2)[order // experts.shape[-1]], flat[order][:, None]
        outputs, start = [], 0
        for group in groups:
            self._hold(group)
            stop = start + sum(tokens[expert] for expert in group)
            outputs.append(self._start(rows[start:stop], numbers[start:stop], group))
            start = stop
        joined = mx.concatenate(outputs).squeeze(-2)
        return joined[mx.argsort(order)].reshape(*experts.shape, -1)

    def _hold(self, group: Sequence[int]) -> None:
        """Bring into slots what is not there, and note that all of the group is used."""
        missing = [expert for expert in group if expert not in self._table]
        if missing:
            self._bring(missing)
        self._table.use(group)

    def _bring(self, missing: Sequence[int]) -> None:
        slots = self._table.place(missing)
        try:
            self._wait_for(set(slots.values()))
            self._source.read({expert: self._buffers[slot] for expert, slot in slots.items()})
        except BaseException:
            self._table.remove(missing)
            raise

    def _start(self, x: mx.array, experts: mx.array, group: Sequence[int]) -> mx.array:
        """Begin to compute tokens through experts that are in slots."""
        slots = self._table.slots(group)
        outputs = self._mlp(x, self._looked_up(slots, experts))
        # Stands for the outputs without keeping their memory.
        end = mx.depends(mx.zeros(()), outputs)
        mx.async_eval(outputs, end)  # type: ignore[no-untyped-call]
        self._running.append((set(slots.values()), end))
        return outputs

    def _wait_for(self, slots: set[int]) -> None:
        """Let all end that is computed with these slots."""
        mx.eval([end for used, end in self._running if used & slots])
        self._running = [(used, end) for used, end in self._running if not used & slots]

    def _looked_up(self, numbers: Mapping[int, int], experts: mx.array) -> mx.array:
        """The number of each expert in an array."""
        table = [0] * self._experts
        for expert, number in numbers.items():
            table[expert] = number
        return mx.array(table)[experts]


def _emptied(mlp: SwitchMLP, slots: int, dtype: mx.Dtype) -> list[Buffers]:
    """Give the stacked weights of slots their memory; the bytes of each slot, by tensor."""
    buffers: list[dict[str, memoryview]] = [{} for _ in range(slots)]
    for name, linear in mlp.children().items():  # type: ignore[no-untyped-call]
        parts = JOINED.get(name, (name,))
        for kind, like in linear.items():
            linear[kind] = _allocated(like, dtype)
            for number, piece in enumerate(_pieces(linear[kind], slots * len(parts))):
                slot, part = divmod(number, len(parts))
                buffers[slot][f"{parts[part]}.{kind}"] = piece
    return list(buffers)


def _allocated(like: mx.array, dtype: mx.Dtype) -> mx.array:
    array = mx.zeros(like.shape, dtype if mx.issubdtype(like.dtype, mx.floating) else like.dtype)
    mx.eval(array)
    return array


def _pieces(array: mx.array, count: int) -> list[memoryview]:
    """The memory of an array, in equal pieces."""
    memory = memoryview(array.view(mx.uint8)).cast("B")  # type: ignore[arg-type]
    size = len(memory) // count
    return [memory[start : start + size] for start in range(0, len(memory), size)]
